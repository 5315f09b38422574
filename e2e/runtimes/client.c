// Requests a page with OpenSSL alone, and prints the response. It knows no proxy.
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

int main(int argc, char **argv) {
  const char *host = argv[1];
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_default_verify_paths(context); // reads SSL_CERT_FILE
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  BIO *connection = BIO_new_ssl_connect(context);
  SSL *ssl;
  BIO_get_ssl(connection, &ssl);
  SSL_set_tlsext_host_name(ssl, host);
  SSL_set1_host(ssl, host);
  BIO_set_conn_hostname(connection, host);
  BIO_set_conn_port(connection, "443");
  if (BIO_do_connect(connection) <= 0 || BIO_do_handshake(connection) <= 0) {
    ERR_print_errors_fp(stderr);
    return 1;
  }
  BIO_printf(connection, "GET /x HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
  char part[4096];
  for (int n; (n = BIO_read(connection, part, sizeof part)) > 0;)
    fwrite(part, 1, n, stdout);
  return 0;
}
