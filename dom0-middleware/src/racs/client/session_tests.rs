//! Sessions with servers that are as they should be, and with others.

use std::sync::Arc;

use rustls::AlertDescription;

use super::*;
use crate::card::TrustError;
use crate::racs::client::testing::{Pki, Reply, TinyGrid, serve, soon};
use crate::racs::client::{ConversationFault, GridFilesError, ServerTrust};

fn seid() -> SeidToken {
    SeidToken::try_from(&b"se-00"[..]).expect("a name")
}

fn command(ins: u8) -> CommandApdu {
    CommandApdu::new(0, ins, 0x69, 0x85).with_le(256)
}

/// Answers INS 18 with P1P2 as status, all else with 256 bytes.
fn card(command: Option<&CommandApdu>) -> ResponseApdu {
    match command {
        Some(command) if command.ins == 0x18 => {
            let sw = u16::from_be_bytes([command.p1, command.p2]);
            ResponseApdu::new(Vec::new(), StatusWord(sw))
        }
        _ => ResponseApdu::new(vec![0xAA; 256], StatusWord(0x9000)),
    }
}

fn tiny() -> TinyGrid<impl FnMut(Option<&CommandApdu>) -> ResponseApdu> {
    TinyGrid {
        seid: "se-00",
        card,
        powered: false,
    }
}

fn asked(reply: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Result<StatusLine, GridProblem> {
    let pki = Pki::new();
    let address = serve(pki.server(2100).both, move |_, request| {
        Reply::Say(reply(request))
    });
    let mut session = pki.grid(&address).connect(soon()).expect("connected");
    let answer = session.power_on(&seid(), soon());
    // A broken session stays so, and says so without waiting.
    if answer.is_err() && !session.is_open() {
        assert!(session.list(soon()).is_err());
    }
    answer.map_err(|error| error.problem)
}

#[test]
fn a_card_on_a_grid_answers_over_both_versions_of_tls() {
    let pki = Pki::new();
    let tls = pki.server(2100);
    for config in [&tls.both, &tls.only12] {
        let mut grid = tiny();
        let address = serve(Arc::clone(config), move |_, request| grid.answer(request));
        let mut session = pki.grid(&address).connect(soon()).expect("connected");
        assert_eq!(session.list(soon()).expect("a list"), [seid()]);
        let unpowered = session.apdu(&seid(), command(0x10), soon());
        let unpowered = unpowered.expect_err("POWERON first").to_string();
        assert!(
            unpowered.ends_with("element se-00: line 1: -706 powered off"),
            "{unpowered}"
        );
        session.power_on(&seid(), soon()).expect("powered");
        let answer = session.apdu(&seid(), command(0x10), soon());
        assert_eq!(answer.expect("an answer").data(), [0xAA; 256]);
        let answer = session.apdu(&seid(), command(0x18), soon());
        assert_eq!(answer.expect("an answer").sw, StatusWord(0x6985));
        assert!(session.is_open());
    }
}

#[test]
fn a_batch_stops_at_a_status_that_is_not_the_expected_one() {
    let pki = Pki::new();
    let mut grid = tiny();
    let address = serve(pki.server(2100).both, move |_, request| {
        grid.answer(request)
    });
    let mut session = pki.grid(&address).connect(soon()).expect("connected");
    session.power_on(&seid(), soon()).expect("powered");
    let link = |ins, answered| Scripted {
        command: command(ins),
        expected: Some(StatusWord(0x9000)),
        answered,
        fetch: None,
    };
    let good = [link(0x10, true), link(0x11, false), link(0x12, false)];
    let played = session.play(&seid(), &good, soon()).expect("played");
    let came: Vec<bool> = played.answers.iter().map(Option::is_some).collect();
    assert_eq!(came, [true, false, true]);
    assert_eq!(played.stop, None);

    let middle = [link(0x10, true), link(0x18, true), link(0x12, true)];
    let played = session.play(&seid(), &middle, soon()).expect("played");
    // Published servers drop what came before, and keep the status to themselves.
    assert_eq!(played.answers, [None]);
    assert_eq!(
        played.stop,
        Some(Stop {
            answer: None,
            sw: None
        })
    );

    let last = [link(0x10, true), link(0x18, true)];
    let played = session.play(&seid(), &last, soon()).expect("played");
    assert_eq!(played.answers.len(), 1);
    let stop = played.stop.expect("stopped");
    assert_eq!(stop.sw, Some(StatusWord(0x6985)));

    let many = vec![link(0x10, true); 40];
    assert_eq!(session.room_for(&seid(), &many, 100), 13);
    let silent = vec![link(0x10, false); 40];
    assert_eq!(session.room_for(&seid(), &silent, 100), 40);
}

#[test]
fn the_status_of_a_stop_is_read_where_the_server_says_it() {
    let line = |text: &str| {
        let code = StatusCode::failure(FailureClass::Execution, CommandNumber::Apdu);
        StatusLine::new(code, 1, text.as_bytes().to_vec())
    };
    for (text, sw) in [
        ("APDU wrong status", None),
        ("status 6A82, not 9000", Some(0x6A82)),
        ("6985", Some(0x6985)),
        ("face beef 0042", None),
    ] {
        assert_eq!(status_word(&line(text)), sw.map(StatusWord), "{text}");
    }
}

#[test]
fn a_server_that_is_not_believed_is_told_nothing() {
    let (pki, other) = (Pki::new(), Pki::new());
    let expired = pki.server(2020);
    let refused = |tls: Arc<rustls::ServerConfig>, grid: &dyn Fn(&str) -> Grid| {
        let address = serve(tls, |_, request| panic!("was asked {request}"));
        let error = grid(&address).connect(soon()).err().expect("refused");
        assert!(error.problem.is_refusal());
        match error.problem {
            GridProblem::ServerCertificate(why) => why,
            problem => panic!("{problem}"),
        }
    };
    let known = |address: &str| pki.grid(address);
    let why = refused(expired.both, &known);
    assert!(matches!(why, TrustError::Expired { .. }), "{why}");
    let why = refused(other.server(2100).both, &known);
    assert!(
        matches!(why, TrustError::UnknownIssuer | TrustError::Signature(_)),
        "{why}"
    );
    let misnamed = |address: &str| Grid {
        server_name: "other.example".to_owned(),
        ..pki.grid(address)
    };
    let why = refused(pki.server(2100).both, &misnamed);
    assert!(matches!(why, TrustError::NameMismatch { .. }), "{why}");
    let pinned = |address: &str| Grid {
        files: GridFiles {
            trust: ServerTrust::Pin([7; 32]),
            ..pki.files()
        },
        ..pki.grid(address)
    };
    let why = refused(pki.server(2100).both, &pinned);
    assert!(matches!(why, TrustError::PinMismatch { .. }), "{why}");
}

#[test]
fn a_pinned_server_needs_no_ca_and_no_name() {
    let (pki, other) = (Pki::new(), Pki::new());
    // It believes our certificate; we do not know who issued its own.
    let tls = pki.server(2100);
    let mut tiny = tiny();
    let address = serve(tls.both, move |_, request| tiny.answer(request));
    let mut grid = pki.grid(&address);
    grid.server_name = "127.0.0.1".to_owned();
    grid.files.trust = ServerTrust::Ca(other.path("ca.pem"));
    assert!(grid.connect(soon()).is_err());
    grid.files.trust = ServerTrust::Pin(tls.pin);
    let mut session = grid.connect(soon()).expect("connected");
    assert_eq!(session.list(soon()).expect("a list"), [seid()]);
}

#[test]
fn a_server_that_does_not_believe_us_says_so() {
    let (pki, other) = (Pki::new(), Pki::new());
    pki.issue("host-a", "expired", 2020);
    let tls = pki.server(2100);
    let mut unknown = other.files();
    unknown.trust = ServerTrust::Pin(tls.pin);
    let expired = GridFiles {
        certificate: pki.path("expired.pem"),
        key: pki.path("expired.key"),
        ..pki.files()
    };
    for config in [&tls.both, &tls.only12] {
        for (files, alert) in [
            (&unknown, AlertDescription::UnknownCA),
            (&expired, AlertDescription::CertificateExpired),
        ] {
            let address = serve(Arc::clone(config), |_, _| panic!("was asked"));
            let grid = Grid {
                files: files.clone(),
                ..pki.grid(&address)
            };
            // In TLS 1.3 the server's verdict comes with its first answer.
            let refused = grid
                .connect(soon())
                .and_then(|mut session| session.list(soon()));
            let problem = refused.expect_err("refused").problem;
            let said = matches!(&problem, GridProblem::Alert(got) if *got == alert)
                // The other CA has the same name, so its signature is what is wrong.
                || matches!(&problem, GridProblem::Alert(AlertDescription::DecryptError));
            assert!(said, "{problem}");
            assert!(problem.is_refusal());
        }
    }
}

#[test]
fn what_is_no_answer_ends_the_session() {
    for (said, fault) in [
        (
            "BEGIN t1\r\n+009 001 x\r\nEND\r\n",
            ConversationFault::OtherLines,
        ),
        (
            "BEGIN other\r\n+008 001 on\r\nEND\r\n",
            ConversationFault::OtherAnswer,
        ),
        (
            "BEGIN t1\r\n+008 001 on\r\nEND\r\nBEGIN\r\n",
            ConversationFault::NotAsked,
        ),
    ] {
        let problem = asked(|_| said.as_bytes().to_vec()).expect_err(said);
        assert_eq!(problem, GridProblem::Conversation(fault));
    }
    let endless = asked(|_| vec![b'A'; 70_000]).expect_err("endless");
    assert!(
        matches!(
            endless,
            GridProblem::Conversation(ConversationFault::Response(_))
        ),
        "{endless}"
    );
}

#[test]
fn an_answer_in_many_pieces_is_one_answer() {
    let pki = Pki::new();
    // TLS records of one byte: the server's writes are cut by rustls.
    let mut tls = (*pki.server(2100).both).clone();
    tls.max_fragment_size = Some(32);
    let mut grid = tiny();
    let address = serve(Arc::new(tls), move |_, request| grid.answer(request));
    let mut session = pki.grid(&address).connect(soon()).expect("connected");
    session.power_on(&seid(), soon()).expect("powered");
    let answer = session.apdu(&seid(), command(0x10), soon());
    assert_eq!(answer.expect("an answer").data(), [0xAA; 256]);
}

#[test]
fn silence_and_a_cut_are_told_apart() {
    let pki = Pki::new();
    let tls = pki.server(2100).both;
    let address = serve(Arc::clone(&tls), |_, _| Reply::Nothing);
    let mut session = pki.grid(&address).connect(soon()).expect("connected");
    let short = Instant::now() + Duration::from_millis(50);
    let silent = session
        .power_on(&seid(), short)
        .expect_err("silent")
        .problem;
    assert!(matches!(silent, GridProblem::TimedOut { .. }), "{silent}");
    // Its answer may come yet, and would be taken for another one's.
    assert!(!session.is_open());

    let address = serve(Arc::clone(&tls), |_, _| Reply::Close);
    let mut session = pki.grid(&address).connect(soon()).expect("connected");
    let cut = session.power_on(&seid(), soon()).expect_err("cut").problem;
    assert!(matches!(cut, GridProblem::Closed { .. }), "{cut}");

    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = port.local_addr().expect("its address").to_string();
    drop(port);
    let problem = pki
        .grid(&nobody)
        .connect(soon())
        .err()
        .expect("nobody")
        .problem;
    assert!(matches!(problem, GridProblem::Connect(_)), "{problem}");
    let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mute = mute.local_addr().map(|address| (mute, address.to_string()));
    let (_mute, address) = mute.expect("its address");
    let short = Instant::now() + Duration::from_millis(50);
    let problem = pki
        .grid(&address)
        .connect(short)
        .err()
        .expect("mute")
        .problem;
    assert!(matches!(problem, GridProblem::TimedOut { .. }), "{problem}");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    use std::os::unix::fs::PermissionsExt;
    let pki = Pki::new();
    let problem = |files: GridFiles| {
        let grid = Grid {
            files,
            ..pki.grid("127.0.0.1:1")
        };
        match grid.connect(soon()).err().expect("refused").problem {
            GridProblem::Files(error) => error,
            problem => panic!("{problem}"),
        }
    };
    let files = pki.files();
    let missing = pki.path("none.pem");
    let no_certificate = GridFiles {
        certificate: missing.clone(),
        ..files.clone()
    };
    assert!(
        matches!(problem(no_certificate), GridFilesError::Read { path, .. } if path == missing)
    );
    let no_pem = GridFiles {
        trust: ServerTrust::Ca(pki.path("client.key")),
        ..files.clone()
    };
    assert!(matches!(problem(no_pem), GridFilesError::Unusable { .. }));
    pki.issue("host-a", "other", 2100);
    let of_another = GridFiles {
        key: pki.path("other.key"),
        ..files.clone()
    };
    assert!(matches!(
        problem(of_another),
        GridFilesError::Unusable { .. }
    ));
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&files.key, open).expect("set");
    assert!(matches!(
        problem(files),
        GridFilesError::Exposed { mode: 0o644, .. }
    ));
}
