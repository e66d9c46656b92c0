//! A RACS server whose cards are in its own process: they answer in the call, without a socket, so
//! that what a client measures is the server.
//!
//! ```sh
//! racs_grid CERTIFICATE KEY CLIENT_CA USER COUNT
//! ```
//!
//! Files are PEM. Serves COUNT cards, `se-00`, `se-01`, …, to the user USER, prints the port that it
//! listens on, and goes on until it is killed. A card answers with the data that it is given, and 9000.

use std::error::Error;
use std::sync::Arc;

use dom0_middleware::racs::server::{
    Census, Element, Fault, Grid, Lent, RacsListener, RacsServer, RacsSettings, Records,
    server_config,
};
use dom0_middleware::racs::session::{ElementRights, RacsRefusal};
use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};
use proto::id::Seid;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [certificate, key, client_ca, user, count] = arguments.as_slice() else {
        return Err("racs_grid CERTIFICATE KEY CLIENT_CA USER COUNT".into());
    };
    let certificates = |file: &str| -> Result<Vec<CertificateDer<'static>>, Box<dyn Error>> {
        Ok(CertificateDer::pem_file_iter(file)?.collect::<Result<_, _>>()?)
    };
    let tls = server_config(
        certificates(certificate)?,
        PrivateKeyDer::from_pem_file(key)?,
        certificates(client_ca)?,
    )?;
    let seids: Vec<Seid> = (0..count.parse::<usize>()?)
        .map(|number| format!("se-{number:02}").parse())
        .collect::<Result<_, _>>()?;
    let cards = seids
        .iter()
        .map(|seid| (seid.clone(), ElementRights::all()));
    let mut settings = RacsSettings::new(tls);
    settings.users.insert(user.clone(), cards.collect());
    let census = Census::new(settings.max_connections);
    // There is no audit.
    let records = Arc::new(Records::new(drop));
    let server = RacsServer::new(settings, Here(Arc::new(seids)), census, records);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = RacsListener::bind(&"127.0.0.1:0".parse()?)?;
        println!("{}", listener.address().port());
        listener.serve(server).await;
        Ok(())
    })
}

/// Cards that are there for everybody at any time.
#[derive(Clone)]
struct Here(Arc<Vec<Seid>>);

impl Grid for Here {
    type Card = Echo;

    fn present(&self) -> Result<Vec<Seid>, RacsRefusal> {
        Ok(self.0.to_vec())
    }

    fn lend(&self, seid: &Seid, _: &str) -> Result<Lent<Echo>, RacsRefusal> {
        match self.0.contains(seid) {
            true => Ok(Lent {
                card: Echo,
                bound: false,
            }),
            false => Err(RacsRefusal::Absent),
        }
    }

    fn is_free(&self, _: &Seid) -> Result<(), RacsRefusal> {
        Ok(())
    }
}

/// A card that gives back what it is given.
struct Echo;

impl Element for Echo {
    fn transmit(&mut self, command: &CommandApdu) -> Result<ResponseApdu, Fault> {
        let data = command.data().to_vec();
        Ok(ResponseApdu::new(data, StatusWord(0x9000)))
    }

    fn reset(&mut self, _: bool) -> Result<(), Fault> {
        Ok(())
    }

    fn is_recalled(&self) -> bool {
        false
    }
}
