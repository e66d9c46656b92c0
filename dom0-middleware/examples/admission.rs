//! What one `open` costs the service's deciding core: the four facts put together and judged, the
//! session planned and put in its queue. Who is behind a domid is read elsewhere.
//!
//! ```sh
//! admission DOMAINS COUNT
//! ```
//!
//! Binds DOMAINS domains to one card each and has them open COUNT sessions in turn. Prints the
//! median and the time that 99 of a hundred stay below, in microseconds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dom0_middleware::Limits;
use dom0_middleware::broker::{Action, Broker, ConnId, Event, Peer, Setup, TokenRule};
use dom0_middleware::card::{CardFeatures, CardIdentity, Door, Sight, Trust, WorkerReport};
use dom0_middleware::mapping::{
    Binding, Certificate, DomainFact, Issuer, ShownToken, Table, Terms, VerifiedToken,
};
use dom0_middleware::time::{Now, UnixTime};
use proto::agent::{AgentMessage, Close, Hello, Open, PROTOCOL_VERSION};
use proto::apdu::Atr;
use proto::hv::HvId;
use proto::id::{DomId, DomainUuid, IdentityName, Seid, SessionId};
use proto::tls::ProtocolVersion;

const HOST: HvId = HvId([1; 32]);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [domains, count] = arguments.as_slice() else {
        return Err("admission DOMAINS COUNT".into());
    };
    let (domains, count): (u16, usize) = (domains.parse()?, count.parse()?);
    let mut host = Host::new(domains)?;
    let mut times = Vec::with_capacity(count);
    for n in 0..count {
        let domid = DomId(u16::try_from(n % usize::from(domains))? + 1);
        times.push(host.open(domid, u32::try_from(n)?)?);
    }
    times.sort();
    let at = |share: usize| times.get(times.len() * share / 100).copied();
    for share in [50, 99] {
        let time = at(share).ok_or("COUNT is 0")?;
        println!("{:.2}", time.as_secs_f64() * 1e6);
    }
    Ok(())
}

/// A broker with its domains, all connected.
struct Host {
    broker: Broker,
    now: Now,
}

impl Host {
    fn new(domains: u16) -> Result<Self, Box<dyn Error>> {
        let now = Now::read();
        let mut table = Table::default();
        let mut trust = BTreeMap::new();
        let nobody = Arc::new(Trust::load(&[], HashMap::new())?);
        let domids = (1..=domains).map(DomId);
        for domid in domids.clone() {
            let id = table.insert(binding(domid)?)?;
            trust.insert(id, Arc::clone(&nobody));
        }
        let setup = Setup {
            limits: Limits::default(),
            table,
            trust,
            cards: domids
                .clone()
                .map(|domid| Ok((seid(domid)?, Door::EapTls)))
                .collect::<Result<_, Box<dyn Error>>>()?,
            maintenance: BTreeSet::new(),
            intermediates: BTreeMap::new(),
            issuers: vec![Issuer {
                id: HOST,
                until: None,
            }],
            revoked: BTreeSet::new(),
            tokens_from: BTreeMap::new(),
        };
        let mut host = Self {
            broker: Broker::new(setup, now),
            now,
        };
        for domid in domids {
            host.connect(domid)?;
        }
        Ok(host)
    }

    fn connect(&mut self, domid: DomId) -> Result<(), Box<dyn Error>> {
        let identity = CardIdentity {
            name: name(domid)?,
            certificate: Some(certificate(domid)),
            schemes: Vec::new(),
        };
        let atr = Atr::decode(&[0x3B, 0x00])?;
        let identities = vec![identity];
        let report = WorkerReport::Present {
            fingerprint: Sight::new(&atr, &[0; 32]).with_identities(&identities),
            adopted: false,
            atr,
            profile: "eap-tls".to_owned(),
            identities,
            features: CardFeatures {
                door: Door::EapTls,
                server_name: true,
                alpn: true,
                version_range: true,
                forget: true,
                max_version: ProtocolVersion::TLS1_2,
            },
        };
        let seid = seid(domid)?;
        let _ = self.broker.handle(Event::Card { seid, report }, self.now);
        let (conn, made_for) = (ConnId(domid.0.into()), uuid(domid));
        let peer = Peer {
            domid,
            made_for,
            token: TokenRule::Required,
        };
        let _ = self
            .broker
            .handle(Event::Connected { conn, peer }, self.now);
        let hello = Hello {
            versions: vec![PROTOCOL_VERSION],
            agent: String::new(),
            token: Vec::new(),
        };
        let token = ShownToken::Verified(Arc::new(VerifiedToken {
            iss: HOST,
            sub: made_for,
            exp: UnixTime(self.now.unix.0 + Duration::from_secs(3_600)),
            nbf: None,
            iat: self.now.unix,
            cti: [0; 16],
            cnf_matches_channel: true,
            vm_cert_sha256: vec![Certificate::new(certificate(domid)).sha256()],
        }));
        let asked = self
            .broker
            .handle(Event::Hello { conn, hello, token }, self.now);
        self.answer(asked, domid);
        Ok(())
    }

    /// Opens a session, up to its place in the queue; the card's worker is never heard of.
    fn open(&mut self, domid: DomId, session: u32) -> Result<Duration, Box<dyn Error>> {
        let conn = ConnId(domid.0.into());
        let message = AgentMessage::Open(Open {
            session: SessionId(session),
            server_name: "www.example.org".to_owned(),
            identity: None,
            alpn: Vec::new(),
            min_version: None,
            max_version: None,
            resume: None,
            role: None,
        });
        let begun = Instant::now();
        let asked = self
            .broker
            .handle(Event::Received { conn, message }, self.now);
        let after = self.answer(asked, domid);
        let time = begun.elapsed();
        let is_taken = after
            .iter()
            .any(|action| matches!(action, Action::ReadDomain { .. }));
        if !is_taken {
            return Err(format!("not granted: {after:?}").into());
        }
        let close = AgentMessage::Close(Close::from(SessionId(session)));
        let event = Event::Received {
            conn,
            message: close,
        };
        let _ = self.broker.handle(event, self.now);
        Ok(time)
    }

    /// Answers who is behind the domid.
    fn answer(&mut self, asked: Vec<Action>, domid: DomId) -> Vec<Action> {
        let mut after = Vec::new();
        for action in asked {
            if let Action::ReadDomain { read, .. } = action {
                let domain = DomainFact::Known {
                    uuid: uuid(domid),
                    name: "guest".to_owned(),
                };
                let event = Event::DomainRead { read, domain };
                after.extend(self.broker.handle(event, self.now));
            }
        }
        after
    }
}

fn binding(domid: DomId) -> Result<Binding, Box<dyn Error>> {
    Ok(Binding {
        domain: uuid(domid),
        seid: seid(domid)?,
        identity: Some(name(domid)?),
        certificate: None,
        tokens_from: UnixTime::default(),
        raw_apdu: None,
        terms: Terms {
            server_names: vec!["*.example.org".parse()?],
            min_version: ProtocolVersion::TLS1_2,
            resume: true,
        },
    })
}

fn seid(domid: DomId) -> Result<Seid, Box<dyn Error>> {
    Ok(format!("se-{domid}").parse()?)
}

fn name(domid: DomId) -> Result<IdentityName, Box<dyn Error>> {
    Ok(format!("id-{domid}").parse()?)
}

fn uuid(domid: DomId) -> DomainUuid {
    let mut bytes = [7; 16];
    let [high, low] = domid.0.to_be_bytes();
    bytes[0] = high;
    bytes[1] = low;
    DomainUuid::from_bytes(bytes)
}

/// Any bytes: nobody reads it.
fn certificate(domid: DomId) -> Vec<u8> {
    format!("certificate of {domid}").into_bytes()
}
