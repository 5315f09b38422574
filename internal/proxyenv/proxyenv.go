// Package proxyenv finds the proxy in the environment through which services are
// reached, for every request that authsome makes. It differs from
// [http.ProxyFromEnvironment] in two ways: ALL_PROXY names the proxy where the variable
// of the scheme does not, as in curl, and the environment is read for each request.
//
// It does not check whether a value can be used.
package proxyenv

import (
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Variable is an environment variable that names a proxy.
type Variable struct{ Name, Value string }

// Find returns the variables that name the proxy for https and for http URLs, which may
// be the same one. A Value is empty if there is no proxy.
func Find(getenv func(string) string) (forHTTPS, forHTTP Variable) {
	return first(getenv, "HTTPS_PROXY", "ALL_PROXY"), first(getenv, "HTTP_PROXY", "ALL_PROXY")
}

// first returns the first of the variables that is set, in upper or in lower case.
func first(getenv func(string) string, names ...string) Variable {
	for _, upper := range names {
		for _, name := range []string{upper, strings.ToLower(upper)} {
			if value := getenv(name); value != "" {
				return Variable{name, value}
			}
		}
	}
	return Variable{Name: names[0]}
}

// Func returns the function that chooses the proxy for a URL, or nil if the environment
// names none. Hosts in NO_PROXY have none, and neither has this machine.
func Func(getenv func(string) string) func(*url.URL) (*url.URL, error) {
	forHTTPS, forHTTP := Find(getenv)
	if forHTTPS.Value == "" && forHTTP.Value == "" {
		return nil
	}
	config := httpproxy.Config{
		HTTPSProxy: forHTTPS.Value, HTTPProxy: forHTTP.Value, NoProxy: first(getenv, "NO_PROXY").Value,
		// A CGI server passes a client's header "Proxy" as HTTP_PROXY.
		CGI: getenv("REQUEST_METHOD") != "" && forHTTP.Name == "HTTP_PROXY",
	}
	return config.ProxyFunc()
}

// ForRequest is Func for [http.Transport.Proxy], with the environment of this process.
func ForRequest(r *http.Request) (*url.URL, error) {
	choose := Func(os.Getenv)
	if choose == nil {
		return nil, nil
	}
	return choose(r.URL)
}
