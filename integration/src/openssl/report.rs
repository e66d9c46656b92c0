//! What `s_server` prints about a connection once its handshake is complete.

/// One connection as the server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionReport {
    /// OpenSSL's name of the cipher suite.
    pub cipher: String,
    /// Whether the server resumed an earlier session.
    pub reused: bool,
    /// Subject of the client's certificate as OpenSSL prints it: `CN = web01`.
    pub client: Option<String>,
}

/// All connections that the server has reported in full.
pub(super) fn parse(text: &str) -> Vec<ConnectionReport> {
    text.split(FIRST_LINE)
        .skip(1)
        .filter_map(parse_one)
        .collect()
}

fn parse_one(text: &str) -> Option<ConnectionReport> {
    let (report, _) = text.split_once(LAST_LINE)?;
    let after = |start: &str| {
        let found = report.lines().find_map(|line| line.strip_prefix(start));
        found.map(str::to_owned)
    };
    Some(ConnectionReport {
        cipher: after("CIPHER is ")?,
        reused: report.lines().any(|line| line == "Reused session-id"),
        client: after("subject="),
    })
}

const FIRST_LINE: &str = "-----BEGIN SSL SESSION PARAMETERS-----\n";
/// It ends with IS or IS NOT supported.
const LAST_LINE: &str = "Secure Renegotiation ";

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "ACCEPT 127.0.0.1:1\n-----BEGIN SSL SESSION PARAMETERS-----\nMII\n\
        -----END SSL SESSION PARAMETERS-----\nClient certificate\nsubject=CN = web01\n\
        CIPHER is ECDHE-RSA-AES128-GCM-SHA256\nSecure Renegotiation IS supported\n";

    #[test]
    fn connections_are_told_apart_and_an_unfinished_one_is_left_out() {
        let full = ConnectionReport {
            cipher: "ECDHE-RSA-AES128-GCM-SHA256".to_owned(),
            reused: false,
            client: Some("CN = web01".to_owned()),
        };
        let resumed = FULL.replace("Secure", "Reused session-id\nSecure");
        let text = format!("{FULL}data{resumed}{}", &FULL[..100]);
        let reused = ConnectionReport {
            reused: true,
            ..full.clone()
        };
        assert_eq!(parse(&text), [full, reused]);
        assert_eq!(parse(""), []);
    }
}
