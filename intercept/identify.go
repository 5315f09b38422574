package intercept

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/authsome/authsome/secret"
)

// identify decides whether a client may use the proxy: it must present the token, or
// run as the proxy's own user and connect over loopback. It returns nil if it may.
//
// The kernel was asked at accept, once for a connection: what it said is true for
// every byte that comes on it.
func (p *Proxy) identify(c *trackedConn, proxyAuthorization string) *Refusal {
	presented := proxyAuthorization != ""
	if c.private || presented && !p.Token.IsZero() && p.Token.Equal(proxyPassword(proxyAuthorization)) || c.own && !p.RequireToken {
		p.identified(c)
		return nil
	}
	if p.Token.IsZero() {
		return notYourProxy()
	}
	message := "this proxy needs its token, as the password in the proxy URL"
	if presented {
		message = "the password in the proxy URL is not this proxy's token"
	}
	return &Refusal{Status: http.StatusProxyAuthRequired, Code: CodeProxyAuthRequired, Message: message}
}

// proxyPassword returns the password of Basic credentials (RFC 7617), or a bearer
// token. The user name is ignored.
func proxyPassword(value string) secret.String {
	scheme, rest, _ := strings.Cut(value, " ")
	rest = strings.TrimSpace(rest)
	if strings.EqualFold(scheme, "Bearer") {
		return secret.New(rest)
	}
	if !strings.EqualFold(scheme, "Basic") {
		return secret.String{}
	}
	decoded, err := base64.StdEncoding.DecodeString(rest)
	if err != nil {
		return secret.String{}
	}
	_, password, _ := strings.Cut(string(decoded), ":")
	return secret.New(password)
}

// errUnknownPeers means that the system does not say which user a connection belongs
// to.
var errUnknownPeers = errors.New("this system does not identify the user of a connection")

// KnowsPeers returns nil if the system can identify the user of a loopback
// connection, which it tries with a connection to this process. If not, clients need
// a token.
func KnowsPeers() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("try a loopback connection: %w", err)
	}
	defer l.Close()
	c, err := net.DialTimeout("tcp", l.Addr().String(), time.Second)
	if err != nil {
		return fmt.Errorf("try a loopback connection: %w", err)
	}
	defer c.Close()
	accepted, err := l.Accept()
	if err != nil {
		return fmt.Errorf("try a loopback connection: %w", err)
	}
	defer accepted.Close()
	var peers peers
	defer peers.close()
	own, err := peers.own(accepted)
	if err == nil && !own {
		err = errors.New("the system attributes this process's connection to another user")
	}
	return err
}

func addrPort(a net.Addr) (netip.AddrPort, bool) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, false
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), ap.IsValid()
}
