//! Another TLS library.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use integration::racs_user::{SERVER_NAME, address};

use super::Grid;

#[test]
fn openssl_is_served_with_both_versions() {
    let grid = Grid::start(&["se-00"], "", &["one"]);
    let (ca, files) = grid.desk.files_of("one");
    for version in ["-tls1_2", "-tls1_3"] {
        let mut client = Command::new("openssl")
            .args(["s_client", "-quiet", "-verify_return_error", version])
            .args(["-servername", SERVER_NAME, "-verify_hostname", SERVER_NAME])
            .args(["-connect", &address(&grid.chain).to_string()])
            .arg("-CAfile")
            .arg(&ca)
            .arg("-cert")
            .arg(&files.certificate)
            .arg("-key")
            .arg(&files.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is there");
        let mut stdin = client.stdin.take().expect("piped");
        // QUIT ends the connection, and so the program.
        let request = b"BEGIN job\nLIST APPEND\nPOWERON se-00 APPEND\nQUIT\nEND\n";
        stdin.write_all(request).expect("it reads");
        let mut said = String::new();
        let mut stdout = client.stdout.take().expect("piped");
        stdout.read_to_string(&mut said).expect("it ends");
        let expected = "BEGIN job\r\n+004 001 se-00\r\n+008 002 SEID se-00 has been powered on\r\n\
                        +012 003 QUIT\r\nEND\r\n";
        assert_eq!(said, expected, "{version}");
        drop(stdin);
        client.wait().expect("it ends");
    }
}
