//! What a RACS server answers, and lists of APDUs that pass.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::racs::{
    AllowList, Response, ResponseError, ResponseReader, StatusLine, apdu_answer, list_answer,
    verdict,
};

fuzz_target!(|input: &[u8]| {
    let Some((&cut, bytes)) = input.split_first() else {
        return;
    };
    let whole = read(bytes, bytes.len());
    assert_eq!(read(bytes, cut.into()), whole);
    for response in whole.0 {
        if let Some(Err((code, message))) = verdict(&response) {
            let text = format!("{code}: {message}");
            assert_eq!(response.lines[0].text_for_people(), text);
        }
        for line in response.lines {
            status_line(&line);
        }
    }
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(list) = text.parse::<AllowList>()
    {
        let text: String = list.rows().iter().map(|row| format!("{row}\n")).collect();
        assert_eq!(text.parse(), Ok(list));
    }
});

/// Every response there is, with the stream in pieces of this length.
fn read(bytes: &[u8], piece: usize) -> (Vec<Response>, Option<ResponseError>) {
    let mut reader = ResponseReader::new();
    let mut responses = Vec::new();
    for piece in bytes.chunks(piece.max(1)) {
        reader.push(piece);
        loop {
            match reader.next_response() {
                Ok(Some(response)) => responses.push(response),
                Ok(None) => break,
                Err(error) => return (responses, Some(error)),
            }
        }
    }
    (responses, None)
}

fn status_line(line: &StatusLine) {
    let mut bytes = Default::default();
    line.encode_into(&mut bytes);
    assert_eq!(StatusLine::parse(&bytes).as_ref(), Some(line));
    assert!(line.text_for_people().len() <= 120);
    if let Ok(answer) = apdu_answer(line) {
        assert_eq!(2 * answer.encode().len(), line.text().len());
    }
    if let Ok(names) = list_answer(line) {
        assert!(names.len() <= 1_024);
    }
}
