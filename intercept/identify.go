package intercept

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/authsome/authsome/secret"
)

// identify decides who may use the proxy: whoever presents the token, and the
// proxy's own user over loopback. Nil means served.
func (p *Proxy) identify(c net.Conn, proxyAuthorization string) *Refusal {
	presented := proxyAuthorization != ""
	if presented && !p.Token.IsZero() && p.Token.Equal(proxyPassword(proxyAuthorization)) {
		return nil
	}
	if !p.RequireToken {
		if t, ok := c.(*trackedConn); ok {
			c = t.Conn
		}
		own, err := ownPeer(c)
		if own {
			return nil
		}
		if err != nil {
			p.Log.Warn("cannot tell whose a connection is", "err", err)
		}
	}
	if p.Token.IsZero() {
		return &Refusal{Status: http.StatusForbidden, Code: CodeNotYourProxy, Message: "this proxy serves only the user who started it"}
	}
	message := "the proxy's token is needed, as the password in the proxy URL"
	if presented {
		message = "the proxy's token in the proxy URL is wrong"
	}
	return &Refusal{Status: http.StatusProxyAuthRequired, Code: CodeProxyAuthRequired, Message: message}
}

// proxyPassword is the password of Basic credentials (RFC 7617), or a bearer
// token; the user name means nothing.
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

// KnowsPeers reports whether this system tells whose a loopback connection is,
// by asking about one of our own. Where it does not, a token is needed.
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
	own, err := ownPeer(accepted)
	if err == nil && !own {
		err = fmt.Errorf("a connection of our own was taken for another user's")
	}
	return err
}
