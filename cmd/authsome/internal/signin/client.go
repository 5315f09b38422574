package signin

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/url"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
)

// configure collects what the flow needs in addition to the user's approval: values for
// the provider's addresses, and an OAuth client.
func (l *Login) configure(ctx context.Context) (*flows.Config, error) {
	fields := l.fields()
	// Whether to ask for a client can depend on the values, for example on the server's
	// address.
	later := l.flow == providers.FlowDCRPKCE || len(l.known.Clients) > 0
	var values providers.Values
	var err error
	if later {
		if err := l.readClientSecret(fields); err != nil {
			return nil, err
		}
		values, err = l.collect(ctx, fields, l.clientQuestion())
	} else {
		values, err = l.collectClient(ctx, append(fields, l.clientFields()...), nil)
	}
	if err != nil {
		return nil, err
	}
	config := &flows.Config{Definition: l.d, Values: values}
	if config, err = config.Discover(ctx); err != nil {
		return nil, err
	}
	if err := l.checkPKCE(config); err != nil {
		return nil, err
	}
	if later {
		if done, err := l.reuseClient(ctx, config); done || err != nil {
			return config, err
		}
		more, err := l.collectClient(ctx, l.clientFields(), config)
		if err != nil {
			return nil, err
		}
		maps.Copy(values, more)
	}
	return config, l.useClient(config, values)
}

// collectClient collects values, those of the user's client among them. If the user can
// be asked, it listens for the redirect, because the question shows the redirect URL. config
// is nil before the discovery.
func (l *Login) collectClient(ctx context.Context, fields []loopback.Field, config *flows.Config) (providers.Values, error) {
	if l.asks() {
		if err := l.listenForOwn(flows.Client{}); err != nil {
			return nil, err
		}
	}
	q := l.clientQuestion()
	if l.mayNeedSecret(config) {
		q.also = valueClientSecret
		if l.isGiven(valueClientID) {
			q.purpose, q.steps, q.keyURL = "Enter the secret of your OAuth app at "+l.d.DisplayName+", or leave it empty if it has none.", nil, ""
		}
	}
	return l.collect(ctx, fields, q)
}

// reuseClient uses the client of earlier logins, or registers one. It reports whether
// config has a client then; otherwise the user must be asked for one.
func (l *Login) reuseClient(ctx context.Context, config *flows.Config) (found bool, err error) {
	issuer, err := config.ID()
	if err != nil {
		return false, err
	}
	own := l.given[valueClientID]
	config.Client = l.known.Client(issuer, own.Reveal())
	if key := l.given[valueClientSecret]; !key.IsZero() {
		if config.Client.ID == "" { // a client that was registered now would have another secret
			return false, nil
		}
		if key.Reveal() != config.Client.Secret.Reveal() {
			config.Client = withSecret(config.Client, key.String)
			l.keepRedirectURL(&config.Client)
			return true, l.listenForOwn(config.Client)
		}
	}
	if config.Client.ID != "" && (l.flow != providers.FlowDCRPKCE || !registered(config.Client)) {
		l.keepRedirectURL(&config.Client)
		return true, l.listenForOwn(config.Client)
	}
	if l.flow != providers.FlowDCRPKCE || !own.IsZero() && config.Client.ID == "" {
		return false, nil
	}
	if err := l.listenForRegistered(config.Client); err != nil {
		return false, err
	}
	err = l.registerClient(ctx, config)
	if errors.Is(err, flows.ErrNoClient) {
		l.console.Infof("%s does not register OAuth clients automatically", l.d.DisplayName)
		config.Client = flows.Client{}
		return false, nil
	}
	return err == nil, err
}

// useClient uses the client that the user gave, or without one the definition's. It
// listens for the redirect, unless [Login.collectClient] did.
func (l *Login) useClient(config *flows.Config, values providers.Values) error {
	id, err := config.ID()
	if err != nil {
		return err
	}
	client := flows.Client{ID: values[valueClientID].Reveal(), Secret: values[valueClientSecret], Issuer: id}
	if err := l.checkSecretUsed(client); err != nil {
		return err
	}
	delete(values, valueClientID)
	delete(values, valueClientSecret)
	if client.ID == "" {
		client = flows.Client{ID: l.d.OAuth.ClientID, Issuer: id}
	} else {
		l.keepRedirectURL(&client)
	}
	config.Client = client
	if l.asks() {
		return nil
	}
	return l.listenForOwn(flows.Client{})
}

// Values of client_secret in definitions: whether a client needs a secret.
const (
	secretRequired = "required"
	secretOptional = "optional"
	secretNone     = "none"
)

const clientSecretLabel = "Client secret"

// clientFields are for the client that the user has registered, if the flow needs one.
func (l *Login) clientFields() []loopback.Field {
	o := l.d.OAuth
	need := o.ClientSecret
	switch {
	case l.flow == providers.FlowJWTBearer && need != secretRequired:
		return nil
	case (o.ClientID != "" || l.deviceClient() == secretNone) && l.given[valueClientID].IsZero():
		return nil
	case need == "" && o.TokenAuth == "none" && o.Discovery != "":
		need = secretOptional // the definition is for servers that it does not know
	case need == "" && (o.TokenAuth == "none" || o.TokenAuth == "private_key_jwt"):
		need = secretNone
	case need == "" && l.flow == providers.FlowDeviceCode:
		need = secretOptional
	case need == "":
		need = secretRequired
	}
	fields := []loopback.Field{{Name: valueClientID, Label: "Client ID", Optional: l.deviceClient() == secretOptional}}
	if need != secretNone {
		fields = append(fields, loopback.Field{Name: valueClientSecret, Label: clientSecretLabel, Secret: true, Optional: need == secretOptional})
	}
	return fields
}

// deviceClient says whether the flow needs a client, if it is a device flow: required,
// optional or none.
func (l *Login) deviceClient() string {
	if l.flow != providers.FlowDeviceCode {
		return secretRequired
	}
	return cmp.Or(l.d.OAuth.DeviceClient, secretRequired)
}

// clientQuestion is how the client is asked for.
func (l *Login) clientQuestion() question {
	q := question{
		purpose: l.d.DisplayName + " needs an OAuth app. Create one, then paste its ID and secret.",
		create:  "Create an OAuth app", keyURL: l.keyURL(), redirect: l.redirectURL, optional: true,
	}
	if !l.ownRedirect || !inBrowser(l.flow) { // after Back, the URL can be that of another flow
		q.redirect = ""
	}
	if l.deviceClient() == secretOptional {
		q.also = valueClientID
		q.purpose = "Enter the client ID of an OAuth app, or leave it empty if " + l.d.DisplayName + " needs none."
	}
	q.steps = l.appSteps(q.redirect)
	if u, err := url.Parse(l.d.OAuth.TokenURL); err == nil && u.Host != "" {
		q.hosts = []string{u.Host}
	}
	return q
}

// grant obtains a token for which nobody signs in.
func (l *Login) grant(ctx context.Context) (flows.Obtained, error) {
	config, err := l.configure(ctx)
	if err != nil {
		return flows.Obtained{}, err
	}
	if err := l.d.Derive(config.Values); err != nil {
		return flows.Obtained{}, err
	}
	grant := config.ClientCredentials
	if l.flow == providers.FlowJWTBearer {
		grant = config.JWTBearer
	}
	token, err := grant(ctx, l.scopes())
	if err != nil {
		return flows.Obtained{}, err
	}
	return l.withAccount(ctx, config, token), nil
}
