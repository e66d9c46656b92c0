/* What the servers have in common: arguments, sockets, and what they say on stdout. README.md */
#ifndef PEER_H
#define PEER_H

#include <stddef.h>

/* PROGRAM CERTIFICATE KEY CA VERSION: three PEM files, and "1.2" or "1.3". */
struct plan {
    const char *certificate;
    const char *key;
    const char *ca;
    const char *version;
};

/* Ends the program when there are not four arguments. */
struct plan plan_of(int argc, char **argv);

/* Listens on 127.0.0.1 and says where. */
int listener(void);

/* Waits for a client. */
int next_client(int listening);

/* A handshake is complete; der is the client's certificate, or NULL where the library has none. */
void say_handshake(const char *version, int resumed, const unsigned char *der, size_t length);

/* A handshake is not; why is one line. */
void say_failed(const char *why);

/* A connection has ended: "in order" after close_notify both ways. */
void say_closed(const char *how);

/* The program cannot go on. */
_Noreturn void give_up(const char *what);

#endif
