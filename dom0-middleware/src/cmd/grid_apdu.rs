//! `dom0-middleware grid apdu`.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};
use proto::hex;
use serde::Serialize;
use zeroize::Zeroizing;

use super::grid_list::DEADLINE;
use super::table;
use crate::cli::GridApduArgs;
use crate::error::MiddlewareError;
use crate::racs::client::{Scripted, Stop, parse_apdu, parse_script};

/// Sends APDUs and prints the answers as they come.
pub(super) fn run(args: &GridApduArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    // A mistake in a script is found before anything is sent.
    let script = script(&args.apdus)?;
    let batch = usize::from(args.batch);
    let seid = &args.seid.0;
    let deadline = Instant::now() + DEADLINE;
    let mut session = args.grid.grid(batch).connect(deadline)?;
    session.power_on(seid, deadline)?;
    let mut sent: Vec<Scripted> = script
        .iter()
        .map(|apdu| apdu.scripted(args.go_on))
        .collect();
    if let Some(last) = sent.last_mut() {
        last.answered = true;
    }
    let mut report = Report::new(args, &script, out);
    let mut at = 0;
    while let Some(rest) = sent.get(at..)
        && !rest.is_empty()
    {
        let count = session.room_for(seid, rest, batch);
        let batch = rest.get(..count).unwrap_or(rest);
        let apdus = u32::try_from(count).unwrap_or(u32::MAX);
        let limit = Duration::from_secs(args.timeout.into()).saturating_mul(apdus);
        let played = session.play(seid, batch, Instant::now() + limit)?;
        let done = played.answers.len();
        for answer in played.answers {
            report.answered(at, answer.as_ref())?;
            at = at.saturating_add(1);
        }
        if let Some(stop) = played.stop {
            report.stopped(at, &stop)?;
            break;
        }
        if done == 0 {
            break;
        }
        report.tell_progress(at);
    }
    report.finish()
}

/// An APDU to send, and where it stands.
struct Apdu {
    origin: String,
    command: CommandApdu,
    expected: Option<StatusWord>,
}

impl Apdu {
    fn scripted(&self, go_on: bool) -> Scripted {
        Scripted {
            command: self.command.clone(),
            expected: self.expected.filter(|_| !go_on),
            answered: true,
            fetch: None,
        }
    }

    /// CLA INS P1 P2: what follows may be a PIN or a key.
    fn header(&self) -> String {
        let CommandApdu {
            cla, ins, p1, p2, ..
        } = self.command;
        format!("{cla:02X}{ins:02X}{p1:02X}{p2:02X}")
    }
}

fn script(arguments: &[String]) -> Result<Vec<Apdu>, MiddlewareError> {
    let mut script = Vec::new();
    for (number, argument) in (1..).zip(arguments) {
        let text = match argument.strip_prefix('@') {
            Some(file) => (file.to_owned(), std::fs::File::open(file).and_then(read)),
            None if argument == "-" => ("standard input".to_owned(), read(io::stdin())),
            None => {
                let (command, expected) = parse_apdu(argument)
                    .map_err(|problem| MiddlewareError::Apdu { number, problem })?;
                let origin = format!("APDU {number}");
                script.push(Apdu {
                    origin,
                    command,
                    expected,
                });
                continue;
            }
        };
        let (name, text) = text;
        let text = text.map_err(|source| MiddlewareError::ScriptFile {
            path: PathBuf::from(&name),
            source,
        })?;
        let lines = parse_script(&text).map_err(|source| MiddlewareError::Script {
            file: name.clone(),
            source,
        })?;
        script.extend(lines.into_iter().map(|line| Apdu {
            origin: format!("{name}:{}", line.line),
            command: line.command,
            expected: line.expected,
        }));
    }
    Ok(script)
}

fn read(from: impl Read) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    from.take(MAX_SCRIPT).read_to_string(&mut text)?;
    match u64::try_from(text.len()).is_ok_and(|length| length < MAX_SCRIPT) {
        true => Ok(text),
        false => Err(io::ErrorKind::FileTooLarge.into()),
    }
}

/// What was answered so far, and how it is shown.
struct Report<'a, W> {
    args: &'a GridApduArgs,
    script: &'a [Apdu],
    out: &'a mut W,
    answers: Vec<AnswerView>,
    /// The first one whose status was another.
    other: Option<MiddlewareError>,
    told: Option<Instant>,
}

/// One APDU and its answer.
#[derive(Serialize)]
struct AnswerView {
    apdu: String,
    header: String,
    /// `null` where the server has dropped it.
    sw: Option<String>,
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
}

/// All of it.
#[derive(Serialize)]
struct ApdusView<'a> {
    grid: String,
    seid: &'a str,
    good: bool,
    sent: usize,
    of: usize,
    answers: &'a [AnswerView],
}

impl<'a, W: Write> Report<'a, W> {
    fn new(args: &'a GridApduArgs, script: &'a [Apdu], out: &'a mut W) -> Self {
        let shows_progress =
            args.progress || (script.len() >= LONG_SCRIPT && io::stderr().is_terminal());
        Self {
            args,
            script,
            out,
            answers: Vec::new(),
            other: None,
            told: shows_progress.then(Instant::now),
        }
    }

    fn answered(&mut self, at: usize, answer: Option<&ResponseApdu>) -> io::Result<()> {
        let sw = answer.map(|answer| answer.sw);
        self.judge(at, sw);
        self.show(at, sw, answer)
    }

    fn stopped(&mut self, at: usize, stop: &Stop) -> io::Result<()> {
        self.judge(at, stop.sw);
        if self.other.is_none() {
            // It stopped there, whatever it said.
            self.note(at, stop.sw);
        }
        self.show(at, stop.sw, stop.answer.as_ref())
    }

    fn judge(&mut self, at: usize, sw: Option<StatusWord>) {
        let expected = self.script.get(at).and_then(|apdu| apdu.expected);
        if let (Some(expected), Some(sw)) = (expected, sw)
            && expected != sw
        {
            self.note(at, Some(sw));
        }
    }

    fn note(&mut self, at: usize, got: Option<StatusWord>) {
        let Some(apdu) = self.script.get(at) else {
            return;
        };
        self.other
            .get_or_insert_with(|| MiddlewareError::OtherStatus {
                apdu: apdu.origin.clone(),
                expected: apdu.expected,
                got,
            });
    }

    fn show(
        &mut self,
        at: usize,
        sw: Option<StatusWord>,
        answer: Option<&ResponseApdu>,
    ) -> io::Result<()> {
        let Some(apdu) = self.script.get(at) else {
            return Ok(());
        };
        let view = AnswerView {
            apdu: apdu.origin.clone(),
            header: apdu.header(),
            sw: sw.map(|sw| format!("{:04X}", sw.0)),
            data: answer.map(|answer| hex::encode(answer.data()).to_ascii_uppercase()),
            expected: apdu.expected.map(|sw| format!("{:04X}", sw.0)),
        };
        if self.args.grid.json {
            self.answers.push(view);
            return Ok(());
        }
        let sw = view.sw.as_deref().unwrap_or("----");
        let line = format!("{}  {}  {sw}  ", view.apdu, view.header);
        writeln!(
            self.out,
            "{}",
            (line + view.data.as_deref().unwrap_or("")).trim_end()
        )?;
        self.answers.push(AnswerView { data: None, ..view });
        Ok(())
    }

    fn tell_progress(&mut self, done: usize) {
        let now = Instant::now();
        let total = self.script.len();
        if let Some(told) = self.told
            && (now.duration_since(told) >= PROGRESS || done == total)
        {
            eprintln!("grid apdu: {done} of {total} APDUs");
            self.told = Some(now);
        }
    }

    fn finish(self) -> Result<(), MiddlewareError> {
        if self.args.grid.json {
            let view = ApdusView {
                grid: self.args.grid.host.to_string(),
                seid: self.args.seid.0.as_str(),
                good: self.other.is_none(),
                sent: self.answers.len(),
                of: self.script.len(),
                answers: &self.answers,
            };
            table::json(&view, self.out)?;
        }
        self.other.map_or(Ok(()), Err)
    }
}

/// The longest script, in bytes.
const MAX_SCRIPT: u64 = 64 << 20;
/// From so many APDUs on it is worth saying how far it is.
const LONG_SCRIPT: usize = 100;
const PROGRESS: Duration = Duration::from_secs(1);
