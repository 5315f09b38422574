package main

import (
	"strings"

	"github.com/authsome/authsome/intercept"
)

// fixFor returns the function that says what a user can do about a refusal of the
// proxy, for the answer that the client gets. A command in it names the profile,
// unless that is "", for the default profile.
func fixFor(profile string) func(*intercept.Refusal) string {
	command := "authsome "
	if profile != "" {
		command += "--profile " + profile + " "
	}
	return func(r *intercept.Refusal) string {
		switch r.Code {
		case intercept.CodeLoginRequired:
			fix := command + "login " + r.Provider
			if r.Connection != "" && r.Connection != "default" {
				fix += " --connection " + r.Connection
			}
			return fix + " --force"
		case intercept.CodeRouteAmbiguous:
			return chooseConnection(command, r.Choices)
		case intercept.CodeHTTPSRequired:
			return "use https://" + r.Host
		case intercept.CodePlaceholder:
			return command + "why " + r.URL
		case intercept.CodeHostDenied:
			return "connect its provider, or start without --unmatched deny"
		case intercept.CodePrivateTarget:
			return "start with --allow-private"
		case intercept.CodeVaultUnavailable:
			return command + "list says why"
		case intercept.CodeUpstreamTLS:
			return "for a private authority, start with --upstream-ca FILE"
		case intercept.CodeUpstreamTimeout:
			return "start with a longer --response-timeout"
		}
		return ""
	}
}

// chooseConnection says how to choose one of several connections. If all of them
// belong to one provider, its default can be set.
func chooseConnection(command string, choices []string) string {
	start := "start with --provider " + choices[0]
	provider, connection, named := strings.Cut(choices[0], "=")
	if named && strings.HasPrefix(choices[len(choices)-1], provider+"=") {
		return command + "default " + provider + " " + connection + ", or " + start
	}
	return start
}
