/*
 * A TLS client that makes one handshake after the other with a key behind PKCS#11, as programs do that
 * use OpenSSL and its engine for that: what Tessera is compared with.
 *
 *   client PORT SERVER_NAME CA CERTIFICATE KEY MODULE VERSION
 *
 * KEY is a PKCS#11 URI with its PIN, MODULE the library that has it, VERSION 1.2 or 1.3. Says `ready` on
 * stdout when the key is there. Each line on stdin makes handshakes: `count N` as many, `for N` in as
 * many milliseconds. Each of them is a line on stdout, from the TCP connection to the end of the
 * handshake in nanoseconds, and a line with a dot comes last. Ends with its stdin.
 */

/* Engines are what OpenSSL 3 still has for PKCS#11 in Debian 12. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
    fprintf(stderr, "pkcs11-client: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static EVP_PKEY *load_key(const char *uri, const char *module)
{
    ENGINE *engine;
    EVP_PKEY *key;
    ENGINE_load_builtin_engines();
    engine = ENGINE_by_id("pkcs11");
    if (!engine || !ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", module, 0) || !ENGINE_init(engine))
        fail("the engine pkcs11");
    key = ENGINE_load_private_key(engine, uri, NULL, NULL);
    if (!key)
        fail("the key");
    return key;
}

static SSL_CTX *context(char **argv)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    int version = strcmp(argv[7], "1.3") == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    if (!tls || !SSL_CTX_set_min_proto_version(tls, version) ||
        !SSL_CTX_set_max_proto_version(tls, version))
        fail("the version");
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    if (!SSL_CTX_load_verify_locations(tls, argv[3], NULL))
        fail("the CA");
    if (!SSL_CTX_use_certificate_file(tls, argv[4], SSL_FILETYPE_PEM))
        fail("the certificate");
    if (!SSL_CTX_use_PrivateKey(tls, load_key(argv[5], argv[6])))
        fail("a key that fits the certificate");
    return tls;
}

/* One handshake, and an end in order. */
static long long handshake(SSL_CTX *tls, int port, const char *name)
{
    struct sockaddr_in address = {0};
    long long begun = now(), time;
    int tcp = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    SSL *connection;
    char rest[256];
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (tcp < 0 || connect(tcp, (struct sockaddr *)&address, sizeof address))
        fail("no TCP connection");
    setsockopt(tcp, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    connection = SSL_new(tls);
    if (!connection || !SSL_set_fd(connection, tcp) ||
        !SSL_set_tlsext_host_name(connection, name) || !SSL_set1_host(connection, name))
        fail("no connection");
    if (SSL_connect(connection) != 1)
        fail("no handshake");
    time = now() - begun;
    /* Tickets, and the server's last word. */
    SSL_shutdown(connection);
    while (SSL_read(connection, rest, sizeof rest) > 0)
        ;
    if (!(SSL_get_shutdown(connection) & SSL_RECEIVED_SHUTDOWN))
        fail("the server did not end in order");
    SSL_free(connection);
    close(tcp);
    return time;
}

int main(int argc, char **argv)
{
    SSL_CTX *tls;
    char what[16];
    long long number;
    if (argc != 8)
        fail("usage: client PORT SERVER_NAME CA CERTIFICATE KEY MODULE VERSION");
    tls = context(argv);
    puts("ready");
    fflush(stdout);
    while (scanf("%15s %lld", what, &number) == 2) {
        long long begun = now(), made = 0;
        int is_count = strcmp(what, "count") == 0;
        while (is_count ? made < number : now() - begun < number * 1000000) {
            printf("%lld\n", handshake(tls, atoi(argv[1]), argv[2]));
            made++;
        }
        puts(".");
        fflush(stdout);
    }
    return 0;
}
