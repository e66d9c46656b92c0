/* A server by mbedTLS 2.28, of TLS 1.2, that demands a client certificate and echoes. README.md */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_cache.h>
#include <mbedtls/x509_crt.h>

#include <string.h>

#include "peer.h"

/* The library does not say whether a session was resumed; it asks here for each that may be. */
static int found_session;

static int find_session(void *cache, mbedtls_ssl_session *session)
{
    int result = mbedtls_ssl_cache_get(cache, session);
    found_session = result == 0;
    return result;
}

struct server {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt certificate;
    mbedtls_x509_crt ca;
    mbedtls_pk_context key;
    mbedtls_ssl_cache_context cache;
    mbedtls_ssl_config config;
};

static void configure(struct server *server, const struct plan *plan)
{
    mbedtls_entropy_init(&server->entropy);
    mbedtls_ctr_drbg_init(&server->random);
    mbedtls_x509_crt_init(&server->certificate);
    mbedtls_x509_crt_init(&server->ca);
    mbedtls_pk_init(&server->key);
    mbedtls_ssl_cache_init(&server->cache);
    mbedtls_ssl_config_init(&server->config);
    if (strcmp(plan->version, "1.2") != 0)
        give_up("mbedTLS 2.28 has TLS 1.2 at most");
    if (mbedtls_ctr_drbg_seed(&server->random, mbedtls_entropy_func, &server->entropy, NULL, 0) !=
        0)
        give_up("no randomness");
    if (mbedtls_x509_crt_parse_file(&server->certificate, plan->certificate) != 0 ||
        mbedtls_pk_parse_keyfile(&server->key, plan->key, NULL) != 0)
        give_up("certificate and key are not taken");
    if (mbedtls_x509_crt_parse_file(&server->ca, plan->ca) != 0)
        give_up("the CA is not taken");

    mbedtls_ssl_config *config = &server->config;
    if (mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0 ||
        mbedtls_ssl_conf_own_cert(config, &server->certificate, &server->key) != 0)
        give_up("no configuration");
    mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &server->random);
    mbedtls_ssl_conf_ca_chain(config, &server->ca, NULL);
    mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_session_cache(config, &server->cache, find_session, mbedtls_ssl_cache_set);
}

static void say_error(int result, void (*say)(const char *))
{
    char text[256];
    mbedtls_strerror(result, text, sizeof text);
    say(text);
}

static void report(const mbedtls_ssl_context *connection)
{
    const mbedtls_x509_crt *certificate = mbedtls_ssl_get_peer_cert(connection);
    say_handshake(mbedtls_ssl_get_version(connection), found_session,
                  certificate == NULL ? NULL : certificate->raw.p,
                  certificate == NULL ? 0 : certificate->raw.len);
}

static int write_all(mbedtls_ssl_context *connection, const unsigned char *data, size_t length)
{
    while (length > 0) {
        int written = mbedtls_ssl_write(connection, data, length);
        if (written <= 0)
            return written;
        data += written;
        length -= (size_t)written;
    }
    return 0;
}

static void echo(mbedtls_ssl_context *connection)
{
    unsigned char buffer[4096];
    for (;;) {
        int result = mbedtls_ssl_read(connection, buffer, sizeof buffer);
        if (result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
            mbedtls_ssl_close_notify(connection);
            say_closed("in order");
            return;
        }
        if (result > 0)
            result = write_all(connection, buffer, (size_t)result);
        else if (result == 0)
            result = MBEDTLS_ERR_SSL_CONN_EOF;
        if (result < 0) {
            say_error(result, say_closed);
            return;
        }
    }
}

int main(int argc, char **argv)
{
    static struct server server;
    struct plan plan = plan_of(argc, argv);
    configure(&server, &plan);
    int listening = listener();
    for (;;) {
        mbedtls_net_context client = {.fd = next_client(listening)};
        mbedtls_ssl_context connection;
        mbedtls_ssl_init(&connection);
        if (mbedtls_ssl_setup(&connection, &server.config) != 0)
            give_up("no connection");
        mbedtls_ssl_set_bio(&connection, &client, mbedtls_net_send, mbedtls_net_recv, NULL);
        found_session = 0;
        int result = mbedtls_ssl_handshake(&connection);
        if (result == 0) {
            report(&connection);
            echo(&connection);
        } else {
            say_error(result, say_failed);
        }
        mbedtls_ssl_free(&connection);
        mbedtls_net_free(&client);
    }
}
