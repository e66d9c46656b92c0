/* A server by wolfSSL that demands a client certificate and echoes. README.md */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <string.h>
#include <unistd.h>

#include "peer.h"

static WOLFSSL_CTX *context_of(const struct plan *plan)
{
    int is_tls13 = strcmp(plan->version, "1.3") == 0;
    WOLFSSL_CTX *context =
        wolfSSL_CTX_new(is_tls13 ? wolfTLSv1_3_server_method() : wolfTLSv1_2_server_method());
    if (context == NULL)
        give_up("no context");
    if (wolfSSL_CTX_use_certificate_chain_file(context, plan->certificate) != WOLFSSL_SUCCESS ||
        wolfSSL_CTX_use_PrivateKey_file(context, plan->key, WOLFSSL_FILETYPE_PEM) !=
            WOLFSSL_SUCCESS)
        give_up("certificate and key are not taken");
    if (wolfSSL_CTX_load_verify_locations(context, plan->ca, NULL) != WOLFSSL_SUCCESS)
        give_up("the CA is not taken");
    wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                           NULL);
    return context;
}

static void say_error(WOLFSSL *connection, int result, void (*say)(const char *))
{
    char text[WOLFSSL_MAX_ERROR_SZ] = "";
    wolfSSL_ERR_error_string((unsigned long)wolfSSL_get_error(connection, result), text);
    say(text);
}

static void report(WOLFSSL *connection)
{
    int length = 0;
    const unsigned char *der = NULL;
    WOLFSSL_X509 *certificate = wolfSSL_get_peer_certificate(connection);
    if (certificate != NULL)
        der = wolfSSL_X509_get_der(certificate, &length);
    say_handshake(wolfSSL_get_version(connection), wolfSSL_session_reused(connection), der,
                  (size_t)length);
    if (certificate != NULL)
        wolfSSL_X509_free(certificate);
}

static void echo(WOLFSSL *connection)
{
    char buffer[4096];
    for (;;) {
        int got = wolfSSL_read(connection, buffer, sizeof buffer);
        if (got <= 0) {
            if (wolfSSL_get_error(connection, got) != WOLFSSL_ERROR_ZERO_RETURN) {
                say_error(connection, got, say_closed);
                return;
            }
            wolfSSL_shutdown(connection);
            say_closed("in order");
            return;
        }
        if (wolfSSL_write(connection, buffer, got) != got) {
            say_closed("cannot write");
            return;
        }
    }
}

int main(int argc, char **argv)
{
    struct plan plan = plan_of(argc, argv);
    wolfSSL_Init();
    WOLFSSL_CTX *context = context_of(&plan);
    int listening = listener();
    for (;;) {
        int client = next_client(listening);
        WOLFSSL *connection = wolfSSL_new(context);
        if (connection == NULL || wolfSSL_set_fd(connection, client) != WOLFSSL_SUCCESS)
            give_up("no connection");
        int result = wolfSSL_accept(connection);
        if (result == WOLFSSL_SUCCESS) {
            report(connection);
            echo(connection);
        } else {
            say_error(connection, result, say_failed);
        }
        wolfSSL_free(connection);
        close(client);
    }
}
