package signin

import (
	"errors"
	"slices"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/secret"
)

// readClientSecret reads the secret of --key-stdin if it can only be that of the OAuth
// client, because the fields have no secret.
func (l *Login) readClientSecret(fields []loopback.Field) error {
	if !l.o.KeyStdin || slices.ContainsFunc(fields, func(f loopback.Field) bool { return f.Secret }) {
		return nil
	}
	l.keyRead = true
	missing := []loopback.Field{{Name: valueClientSecret, Label: clientSecretLabel, Secret: true}}
	key, err := readKey(l.console.In)
	if errors.Is(err, errEmptyInput) {
		return l.notGiven(err, missing)
	}
	if err != nil {
		return err
	}
	value, err := missing[0].Take(key.Reveal())
	if err != nil {
		return l.invalid(valueClientSecret, clientSecretLabel, err)
	}
	l.given[valueClientSecret] = givenValue{String: value}
	return nil
}

// withSecret returns a stored client with the secret that the user gave.
func withSecret(c flows.Client, key secret.String) flows.Client {
	c.Secret, c.SecretExpiresAt = key, time.Time{}
	if c.TokenAuth == "none" {
		c.TokenAuth = "" // as the server's metadata say
	}
	return c
}

// mayNeedSecret reports whether a client that the user has may need its secret, so that
// the user is asked for it even if the client ID is known. At a discovered server it may if
// the client itself is asked for, or if the server does not say that clients need none (RFC
// 8414 section 2). config is nil before the discovery.
func (l *Login) mayNeedSecret(config *flows.Config) bool {
	if config == nil || config.Server == nil {
		return l.d.OAuth.ClientSecret == secretOptional && l.isGiven(valueClientID)
	}
	return l.given[valueClientID].IsZero() || !slices.Contains(config.Server.TokenAuth, "none")
}

// checkSecretUsed refuses a client secret that was given, but that the login does not use.
func (l *Login) checkSecretUsed(client flows.Client) error {
	if l.given[valueClientSecret].IsZero() || !client.Secret.IsZero() {
		return nil
	}
	if client.ID == "" {
		return exit.WithHint(exit.Usagef("client_secret was given without client_id, and the OAuth client of %s has no secret", l.d.Name), l.command("").With("--client-id ID --secrets-stdin < FILE"))
	}
	return exit.WithHint(exit.Usagef("client_secret was given, but OAuth clients of %s have no secret", l.d.Name), l.command(""))
}
