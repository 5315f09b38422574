package intercept

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

// recordHandshake is the first byte of a connection on which the client begins TLS (RFC
// 8446 section 5.1).
const recordHandshake = 0x16

// maxHello is the most that is read of a client until its ClientHello is complete. Those
// with keys for post-quantum algorithms and a session ticket have about 4 KiB.
const maxHello = 64 << 10

var (
	errHelloTooLarge = errors.New("TLS ClientHello larger than 64 KiB")
	errHelloTimeout  = errors.New("TLS ClientHello not complete within 10 seconds")
	errHelloInvalid  = errors.New("malformed TLS ClientHello")
	errHelloRead     = errors.New("ClientHello read") // ends a handshake after its first message
)

// readHello reads a ClientHello that begins with the bytes in early. It returns all bytes
// that were read and the server name, which is empty if the client sent none. It sends
// nothing. The error is errClientLeft if the client closed the connection.
func readHello(c net.Conn, early []byte) (raw []byte, serverName string, err error) {
	recorded := &helloConn{prefixConn: prefixConn{Conn: c, early: early}}
	c.SetReadDeadline(time.Now().Add(headTimeout))
	err = tls.Server(recorded, &tls.Config{
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			serverName = hello.ServerName
			return nil, errHelloRead
		},
	}).Handshake()
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, errHelloRead):
		c.SetReadDeadline(time.Time{})
		return recorded.read, serverName, nil
	case errors.Is(err, errHelloTooLarge):
		return nil, "", errHelloTooLarge
	case isNet && timeout.Timeout():
		return nil, "", errHelloTimeout
	case recorded.left:
		return nil, "", errClientLeft
	}
	return nil, "", errHelloInvalid
}

// helloConn records what crypto/tls reads and discards what it writes.
type helloConn struct {
	prefixConn
	read []byte
	left bool // reading failed
}

func (c *helloConn) Read(b []byte) (int, error) {
	if len(c.read) >= maxHello {
		return 0, errHelloTooLarge
	}
	n, err := c.prefixConn.Read(b)
	c.read = append(c.read, b[:n]...)
	c.left = err != nil
	return n, err
}

func (c *helloConn) Write(b []byte) (int, error) { return len(b), nil }

// Alerts (RFC 8446 section 6.2).
const (
	alertAccessDenied     = 49
	alertInternalError    = 80
	alertUnrecognizedName = 112
)

// sendAlert tells a client that waits for a ServerHello that it was refused. Clients show
// little more than the alert's name; the record has the reason.
func sendAlert(c net.Conn, r *Refusal) {
	alert := byte(alertInternalError)
	switch {
	case r.Code == CodeTargetUnknown:
		alert = alertUnrecognizedName
	case r.Status == http.StatusForbidden:
		alert = alertAccessDenied
	}
	const fatal = 2
	c.SetWriteDeadline(time.Now().Add(headTimeout))
	c.Write([]byte{0x15, 3, 3, 0, 2, fatal, alert})
}
