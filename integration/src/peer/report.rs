//! What servers say of their connections.

/// A complete handshake as the server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerReport {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// Whether the server resumed an earlier session.
    pub resumed: bool,
    /// The client's certificate, DER; some libraries do not keep it for a session that they resume.
    pub client: Option<Vec<u8>>,
}

/// The rest of each whole line that begins with `word`.
pub(super) fn lines<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    // The last piece is a line that is not whole yet, or nothing.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let rest = |line: &'t str| line.strip_prefix(word)?.strip_prefix(' ');
    whole.lines().filter_map(rest).collect()
}

/// All handshakes that were complete.
pub(super) fn handshakes(text: &str) -> Vec<PeerReport> {
    let handshakes = lines(text, "handshake");
    handshakes.into_iter().map(parse).collect()
}

fn parse(line: &str) -> PeerReport {
    let words: Vec<&str> = line.split(' ').collect();
    let [version, kind, client] = words[..] else {
        panic!("a server said: handshake {line}");
    };
    PeerReport {
        version: version.to_owned(),
        resumed: match kind {
            "full" => false,
            "resumed" => true,
            other => panic!("a server said: {other}"),
        },
        client: (client != "-").then(|| bytes(client)),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = pairs.map(byte).collect();
    bytes.expect("hexadecimal of a server of ours")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes_are_told_from_other_lines_and_an_unfinished_one_is_left_out() {
        let text = "listening 1\nhandshake TLSv1.2 full 30ff\nclosed in order\n\
            handshake TLSv1.2 resumed -\nhandshake TLSv1.2 full 30";
        let full = PeerReport {
            version: "TLSv1.2".to_owned(),
            resumed: false,
            client: Some(vec![0x30, 0xff]),
        };
        let resumed = PeerReport {
            resumed: true,
            client: None,
            ..full.clone()
        };
        assert_eq!(handshakes(text), [full, resumed]);
        assert_eq!(lines(text, "closed"), ["in order"]);
        assert_eq!(handshakes(""), []);
    }
}
