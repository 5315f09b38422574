package intercept

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/authsome/authsome/internal/hosts"
)

// Target is the authority of a connection: a normalised host and a port.
type Target struct {
	Host string
	Port int
}

// String returns the target as it is dialled, always with its port.
func (t Target) String() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

// authority returns the target as a Host header has it, without the https port.
func (t Target) authority() string {
	if t.Port != 443 {
		return t.String()
	}
	if strings.Contains(t.Host, ":") {
		return "[" + t.Host + "]"
	}
	return t.Host
}

// parseTarget parses the authority-form of CONNECT (RFC 9112 section 3.2.3):
// host, colon, port, and nothing else. net/http also accepts user names, paths,
// schemes and unusual numbers, each of which has sent a credential to another host
// in some proxy.
func parseTarget(s string) (Target, error) {
	host, portText, err := net.SplitHostPort(s)
	if err != nil {
		return Target{}, errors.New("target is not host:port")
	}
	port, err := parsePort(portText)
	if err != nil {
		return Target{}, err
	}
	if strings.HasPrefix(s, "[") != strings.Contains(host, ":") {
		return Target{}, errors.New("target host: IPv6 addresses, and nothing else, are written in brackets")
	}
	host, err = hosts.Normalize(host)
	if err != nil {
		return Target{}, fmt.Errorf("target host: %w", err)
	}
	return Target{Host: host, Port: port}, nil
}

// parsePort accepts 1 to 65535 in plain decimal: no sign, no leading zero.
func parsePort(s string) (int, error) {
	port, err := strconv.ParseUint(s, 10, 16)
	if err != nil || port == 0 || s[0] == '0' || s[0] == '+' {
		return 0, errors.New("target port is not a number from 1 to 65535")
	}
	return int(port), nil
}

// matches reports whether a Host or :authority value names this target. A missing
// port means 443, as in every https URL.
func (t Target) matches(authority string) bool {
	if t.Port == 443 && authority == t.Host || authority == t.String() {
		return true
	}
	host, portText := authority, "443"
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		host, portText = authority[:i], authority[i+1:]
	}
	port, err := parsePort(portText)
	if err != nil || port != t.Port {
		return false
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	host, err = hosts.Normalize(host)
	return err == nil && host == t.Host
}
