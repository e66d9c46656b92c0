//! A broker with its surroundings played: time, domains, guests and workers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::agent::{
    AgentMessage, Dom0Message, Hello, Open, PROTOCOL_VERSION, RefusalCode, SessionData,
};
use proto::apdu::Atr;
use proto::hv::HvId;
use proto::id::{DomId, DomainUuid, Seid, SessionId};
use proto::tls::{CipherSuite, Established, KeyBlock, ProtocolVersion, SessionKeys};
use rustls::SignatureScheme;

use crate::audit::AuditEvent;
use crate::broker::{
    Action, Broker, ConnId, EngineCommand, Event, LeaseId, LeaseRefusal, Peer, RacsGuest, ReadId,
    Setup, TokenRule, Unresumable,
};
use crate::card::{
    CardFeatures, CardIdentity, CardSession, Door, SessionError, Sight, Trust, UseId,
    WorkerCommand, WorkerReport,
};
use crate::limits::Limits;
use crate::mapping::{
    Binding, BindingId, Certificate, DomainFact, Issuer, ShownToken, Table, Terms, VerifiedToken,
};
use crate::time::{Now, UnixTime};

/// The domids of the two guests. Each is bound to the identity of its own name on card `se-00`.
pub(super) const A: DomId = DomId(1);
pub(super) const B: DomId = DomId(2);

/// What the bench did or was told, in order.
#[derive(Debug)]
pub(super) enum Seen {
    Told(ConnId, Dom0Message),
    Closed(ConnId),
    Ordered(WorkerCommand),
    Audited(AuditEvent),
    Lent(LeaseId, Seid, UseId),
    NotLent(LeaseId, LeaseRefusal),
    Delivered(ConnId, SessionId),
    Withdrawn(ConnId),
    Engine(ConnId, SessionId, EngineCommand),
    Unresumable(Unresumable),
    AdmittedToRacs(ConnId, RacsGuest),
}

/// A broker and everything around it.
pub(super) struct Bench {
    pub(super) broker: Broker,
    pub(super) now: Now,
    pub(super) seen: Vec<Seen>,
    /// Who is behind each domid.
    pub(super) domains: BTreeMap<DomId, DomainFact>,
    /// When set, questions who is behind a domid stay open.
    pub(super) reads_hang: bool,
    pub(super) open_reads: Vec<(ReadId, DomId)>,
    /// What each guest shows.
    pub(super) tokens: BTreeMap<DomId, VerifiedToken>,
    /// Whose each connection is.
    owners: BTreeMap<ConnId, DomId>,
    next_conn: u64,
    /// How many bytes of the server each use was given.
    given: HashMap<UseId, usize>,
    /// On which card each use was started.
    pub(super) placed: HashMap<UseId, Seid>,
}

pub(super) fn uuid(domid: DomId) -> DomainUuid {
    DomainUuid::from_bytes([u8::try_from(domid.0).expect("small"); 16])
}

pub(super) fn known(domid: DomId) -> DomainFact {
    let name = format!("guest-{domid}");
    let uuid = uuid(domid);
    DomainFact::Known { uuid, name }
}

pub(super) fn card() -> Seid {
    "se-00".parse().expect("a SEID")
}

/// A second card, which is in no binding at first.
pub(super) fn other_card() -> Seid {
    "se-01".parse().expect("a SEID")
}

/// The HV certificate of this host.
const HOST: HvId = HvId([0xAA; 32]);

/// How long the tokens of the guests are good for.
const TOKEN_LIFE: Duration = Duration::from_secs(30 * 86_400);

/// The certificate of a guest's identity.
pub(super) fn certificate(domid: DomId) -> Vec<u8> {
    format!("certificate of {domid}").into_bytes()
}

/// A good token of a guest.
pub(super) fn token(domid: DomId, now: Now) -> VerifiedToken {
    VerifiedToken {
        iss: HOST,
        sub: uuid(domid),
        exp: UnixTime(now.unix.0 + TOKEN_LIFE),
        nbf: None,
        iat: now.unix,
        cti: [u8::try_from(domid.0).expect("small"); 16],
        cnf_matches_channel: true,
        vm_cert_sha256: vec![Certificate::new(certificate(domid)).sha256()],
    }
}

pub(super) fn binding(domid: DomId) -> Binding {
    Binding {
        domain: uuid(domid),
        seid: card(),
        identity: Some(format!("id-{domid}").parse().expect("a name")),
        certificate: None,
        tokens_from: UnixTime::default(),
        raw_apdu: None,
        terms: Terms {
            server_names: Vec::new(),
            min_version: ProtocolVersion::TLS1_2,
            resume: true,
        },
    }
}

impl Bench {
    /// Both guests bound, the card not there yet.
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        let now = Now {
            monotonic: Instant::now(),
            unix: UnixTime::from_secs(1_800_000_000),
        };
        Self::at(limits, now)
    }

    /// The same at a time that is given.
    pub(super) fn at(limits: Limits, now: Now) -> Self {
        let mut table = Table::default();
        let mut trust = BTreeMap::new();
        for domid in [A, B] {
            let id = table.insert(binding(domid)).expect("no identity twice");
            let nobody = Trust::load(&[], HashMap::new()).expect("no CA to refuse");
            trust.insert(id, Arc::new(nobody));
        }
        let cards = [card(), other_card()]
            .map(|seid| (seid, Door::EapTls))
            .into();
        let setup = Setup {
            limits,
            table,
            trust,
            cards,
            maintenance: BTreeSet::new(),
            intermediates: BTreeMap::new(),
            issuers: vec![Issuer {
                id: HOST,
                until: None,
            }],
            revoked: BTreeSet::new(),
            tokens_from: BTreeMap::new(),
        };
        Self {
            broker: Broker::new(setup, now),
            now,
            seen: Vec::new(),
            domains: [A, B].map(|domid| (domid, known(domid))).into(),
            reads_hang: false,
            open_reads: Vec::new(),
            tokens: [A, B].map(|domid| (domid, token(domid, now))).into(),
            owners: BTreeMap::new(),
            next_conn: 0,
            given: HashMap::new(),
            placed: HashMap::new(),
        }
    }

    /// The same with the card in its reader.
    pub(super) fn with_card() -> Self {
        let mut bench = Self::new();
        bench.plug_in();
        bench.seen.clear();
        bench
    }

    pub(super) fn plug_in(&mut self) {
        self.plug_in_as(Door::EapTls);
    }

    /// The same with a card that signs, and takes no other part in a handshake.
    pub(super) fn with_signing_card() -> Self {
        let mut bench = Self::new();
        bench.plug_in_as(Door::Piv);
        bench.seen.clear();
        bench
    }

    pub(super) fn plug_in_as(&mut self, door: Door) {
        self.plug_card_in(&card(), door);
    }

    fn plug_card_in(&mut self, seid: &Seid, door: Door) {
        let schemes = match door {
            Door::EapTls => Vec::new(),
            Door::Piv => vec![SignatureScheme::ECDSA_NISTP256_SHA256],
        };
        let identity = |domid: DomId| CardIdentity {
            name: format!("id-{domid}").parse().expect("a name"),
            certificate: Some(certificate(domid)),
            schemes: schemes.clone(),
        };
        self.plug_in_with(seid, door, vec![identity(A), identity(B)]);
    }

    pub(super) fn plug_in_with(&mut self, seid: &Seid, door: Door, identities: Vec<CardIdentity>) {
        let atr = Atr::decode(&[0x3B, 0x00]).expect("an ATR");
        self.report_of(
            seid,
            WorkerReport::Present {
                fingerprint: Sight::new(&atr, &[0; 32]).with_identities(&identities),
                adopted: false,
                atr,
                profile: door.as_str().to_owned(),
                identities,
                features: CardFeatures {
                    door,
                    server_name: true,
                    alpn: true,
                    version_range: true,
                    forget: true,
                    max_version: ProtocolVersion::TLS1_2,
                },
            },
        );
    }

    /// Binds a guest to the same identity on another card, on the same terms, and puts that card in.
    pub(super) fn add_to_pool(&mut self, domid: DomId, seid: &Seid, door: Door) {
        let binding = Binding {
            seid: seid.clone(),
            ..binding(domid)
        };
        let trust = Trust::load(&[], HashMap::new()).expect("no CA to refuse");
        let trust = Arc::new(trust);
        self.handle(Event::Bound { binding, trust });
        self.plug_card_in(seid, door);
    }

    pub(super) fn handle(&mut self, event: Event) {
        let actions = self.broker.handle(event, self.now);
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            let seen = match action {
                Action::Send { conn, message } => Seen::Told(conn, message),
                Action::Close { conn } => Seen::Closed(conn),
                Action::Card { seid, command } => {
                    if let WorkerCommand::Start(job) = &command {
                        self.placed.insert(job.use_id, seid);
                    }
                    if let WorkerCommand::ServerRecords { use_id, data } = &command {
                        *self.given.entry(*use_id).or_default() += data.len();
                    }
                    Seen::Ordered(command)
                }
                Action::Lend {
                    lease,
                    seid,
                    use_id,
                    record,
                    ..
                } => {
                    self.seen.push(Seen::Audited(record));
                    Seen::Lent(lease, seid, use_id)
                }
                Action::RefuseLease { lease, why } => Seen::NotLent(lease, why),
                Action::Audit(record) => Seen::Audited(record),
                Action::Engine {
                    conn,
                    session,
                    command,
                } => Seen::Engine(conn, session, command),
                Action::ForgetResumption(which) => Seen::Unresumable(which),
                Action::AdmitRacs { conn, guest } => Seen::AdmittedToRacs(conn, guest),
                Action::TokenSeen { .. } => continue,
                Action::WithdrawKeys { conn } => Seen::Withdrawn(conn),
                Action::Deliver { conn, message, .. } => Seen::Delivered(conn, message.session),
                Action::ReadDomain { read, domid } => {
                    self.open_reads.push((read, domid));
                    continue;
                }
            };
            self.seen.push(seen);
        }
        if !self.reads_hang {
            self.answer_reads();
        }
    }

    /// Answers all questions who is behind a domid.
    pub(super) fn answer_reads(&mut self) {
        while let Some((read, domid)) = self.open_reads.pop() {
            let domain = self.domains.get(&domid).cloned();
            let domain = domain.unwrap_or(DomainFact::Gone);
            self.handle(Event::DomainRead { read, domain });
        }
    }

    /// Lets time pass; timers go off when they must.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.monotonic + time;
        let mut timers = 0;
        while let Some(at) = self.broker.next_timeout()
            && at <= end
        {
            let step = at.saturating_duration_since(self.now.monotonic);
            self.now = self.now.after(step);
            let actions = self.broker.handle_timeout(self.now);
            self.perform(actions);
            timers += 1;
            assert!(timers < 1_000, "a timer that does not move on");
        }
        let rest = end.saturating_duration_since(self.now.monotonic);
        self.now = self.now.after(rest);
    }

    // Guests

    pub(super) fn connect(&mut self, domid: DomId) -> ConnId {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        let peer = Peer {
            domid,
            made_for: uuid(domid),
            token: TokenRule::Required,
        };
        self.owners.insert(conn, domid);
        self.handle(Event::Connected { conn, peer });
        conn
    }

    pub(super) fn say(&mut self, conn: ConnId, message: AgentMessage) {
        self.handle(Event::Received { conn, message });
    }

    pub(super) fn hello(&mut self, conn: ConnId) {
        let hello = Hello {
            versions: vec![PROTOCOL_VERSION],
            agent: "test".to_owned(),
            token: Vec::new(),
        };
        let shown = self.owners.get(&conn).and_then(|of| self.tokens.get(of));
        let token = match shown {
            Some(token) => ShownToken::Verified(Arc::new(token.clone())),
            None => ShownToken::Missing,
        };
        self.handle(Event::Hello { conn, hello, token });
    }

    /// A connection that was welcome.
    #[track_caller]
    pub(super) fn admitted(&mut self, domid: DomId) -> ConnId {
        let conn = self.connect(domid);
        self.hello(conn);
        let welcome = self.seen.pop();
        let is_welcome = matches!(welcome, Some(Seen::Told(_, Dom0Message::Welcome(_))));
        assert!(is_welcome, "{welcome:?}");
        conn
    }

    /// The codes of the rights that guests were told have ended; everything seen is forgotten.
    pub(super) fn revocations(&mut self) -> Vec<(ConnId, RefusalCode)> {
        let revoked = |seen| match seen {
            Seen::Told(conn, Dom0Message::Revoked { code }) => Some((conn, code)),
            _ => None,
        };
        self.seen.drain(..).filter_map(revoked).collect()
    }

    pub(super) fn open(&mut self, conn: ConnId, session: u32) {
        self.open_with(conn, session, |_| {});
    }

    pub(super) fn open_with(&mut self, conn: ConnId, session: u32, change: impl FnOnce(&mut Open)) {
        let mut open = Open {
            session: SessionId(session),
            server_name: "www.example".to_owned(),
            identity: None,
            alpn: Vec::new(),
            min_version: None,
            max_version: None,
            resume: None,
            role: None,
        };
        change(&mut open);
        self.say(conn, AgentMessage::Open(open));
    }

    pub(super) fn records(&mut self, conn: ConnId, session: u32, length: usize) {
        let data = SessionData {
            session: SessionId(session),
            data: vec![0; length],
        };
        self.say(conn, AgentMessage::ServerRecords(data));
    }

    pub(super) fn close(&mut self, conn: ConnId, session: u32) {
        self.say(conn, AgentMessage::Close(SessionId(session).into()));
    }

    // Workers

    pub(super) fn report(&mut self, report: WorkerReport) {
        self.report_of(&card(), report);
    }

    pub(super) fn report_of(&mut self, seid: &Seid, report: WorkerReport) {
        let seid = seid.clone();
        self.handle(Event::Card { seid, report });
    }

    /// Sends the card's ClientHello and waits for the server.
    pub(super) fn say_client_hello(&mut self, use_id: UseId) {
        let data = vec![22, 3, 3, 0, 1, 1];
        self.report(WorkerReport::ClientRecords { use_id, data });
        self.await_server(use_id, Duration::ZERO);
    }

    pub(super) fn await_server(&mut self, use_id: UseId, waited: Duration) {
        let taken = self.given.get(&use_id).copied().unwrap_or_default();
        self.await_server_after(use_id, waited, taken);
    }

    /// The worker waits and has had that many bytes.
    pub(super) fn await_server_after(&mut self, use_id: UseId, waited: Duration, taken: usize) {
        self.report(WorkerReport::AwaitingServer {
            use_id,
            waited,
            taken,
        });
    }

    pub(super) fn establish(&mut self, use_id: UseId) {
        let session = Box::new(session_with(1));
        self.report(WorkerReport::Established { use_id, session });
    }

    pub(super) fn fail(&mut self, use_id: UseId, error: SessionError) {
        let alert = Some(vec![21, 3, 3, 0, 2, 2, 42]);
        self.report(WorkerReport::Failed {
            use_id,
            error,
            alert,
        });
    }

    pub(super) fn free(&mut self, use_id: UseId) {
        let card_time = Duration::ZERO;
        self.report(WorkerReport::Free { use_id, card_time });
    }

    /// The use that was ordered since this was last asked; everything seen is forgotten.
    #[track_caller]
    pub(super) fn started(&mut self) -> UseId {
        let seen = std::mem::take(&mut self.seen);
        let use_of = |seen: &Seen| match seen {
            Seen::Ordered(WorkerCommand::Start(job)) => Some(job.use_id),
            _ => None,
        };
        let started: Vec<UseId> = seen.iter().filter_map(use_of).collect();
        let &[use_id] = started.as_slice() else {
            panic!("not one start: {seen:?}");
        };
        use_id
    }

    // What was seen

    /// The refusals among what was seen, which is forgotten.
    pub(super) fn refusals(&mut self) -> Vec<(Option<u32>, RefusalCode)> {
        let refusal = |seen| match seen {
            Seen::Told(_, Dom0Message::Refused(refused)) => {
                Some((refused.session.map(|session| session.0), refused.code))
            }
            _ => None,
        };
        self.seen.drain(..).filter_map(refusal).collect()
    }

    /// Whether nothing was ordered, told or delivered.
    #[track_caller]
    pub(super) fn expect_nothing(&mut self) {
        let audits = |seen: &Seen| matches!(seen, Seen::Audited(_) | Seen::Unresumable(_));
        self.seen.retain(|seen| !audits(seen));
        assert!(self.seen.is_empty(), "{:?}", self.seen);
    }

    #[track_caller]
    pub(super) fn expect_delivered(&mut self, conn: ConnId, session: u32) {
        let is_it =
            |seen: &Seen| matches!(seen, Seen::Delivered(c, s) if *c == conn && s.0 == session);
        assert!(self.seen.iter().any(is_it), "{:?}", self.seen);
        self.seen.clear();
    }

    pub(super) fn is_cancelled(&self, use_id: UseId) -> bool {
        let cancels = |seen: &Seen| matches!(seen, Seen::Ordered(WorkerCommand::Cancel { use_id: id }) if *id == use_id);
        self.seen.iter().any(cancels)
    }

    pub(super) fn is_closed(&self, conn: ConnId) -> bool {
        let closes = |seen: &Seen| matches!(seen, Seen::Closed(closed) if *closed == conn);
        self.seen.iter().any(closes)
    }

    /// The binding of a guest.
    pub(super) fn binding_of(domid: DomId) -> BindingId {
        BindingId(u32::from(domid.0) - 1)
    }
}

/// What a worker reports, with these sequence numbers.
pub(super) fn session_with(sequence: u64) -> CardSession {
    CardSession {
        keys: Established {
            version: ProtocolVersion::TLS1_2,
            cipher_suite: CipherSuite(0xC02F),
            keys: SessionKeys::KeyBlock(KeyBlock::new(vec![7; 40])),
            client_sequence: sequence,
            server_sequence: sequence,
            client_explicit_nonce: Some([1; 8]),
        },
        abbreviated: false,
        extended_master_secret: true,
        encrypt_then_mac: false,
        consumed: 100,
        alpn: None,
        peer_certificates: vec![b"server".to_vec()],
        card_time: Duration::from_millis(3),
    }
}

impl Bench {
    /// Answers the judgement of an `open` and leaves the one of its turn open.
    pub(super) fn answer_open_only(&mut self) {
        let (read, domid) = self.open_reads.remove(0);
        let domain = known(domid);
        self.handle(Event::DomainRead { read, domain });
        assert_eq!(self.open_reads.len(), 1, "its turn has come");
    }
}
