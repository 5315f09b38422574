package flows

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// MaxKeyLen bounds an API key, in bytes. The longest ones in use are signed
// tokens of some kilobytes.
const MaxKeyLen = 64 << 10

// ErrNoKey says that a source had no key: nothing was entered, the variable is
// not set, or the input was empty.
var ErrNoKey = errors.New("no key was given")

// ErrNotAPIKey says that the provider does not take API keys.
var ErrNotAPIKey = errors.New("the provider does not use an API key")

// KeyError says why a key cannot be one of the provider's. It does not contain
// the key.
type KeyError struct {
	Provider string
	Err      error
}

func (e *KeyError) Error() string { return fmt.Sprintf("key for %s: %v", e.Provider, e.Err) }

func (e *KeyError) Unwrap() error { return e.Err }

// KeySource asks for a key once: a prompt, or one of the sources below. White
// space around the key does not matter.
type KeySource func(ctx context.Context) (secret.String, error)

// APIKey obtains a key from src and checks it: it has at most [MaxKeyLen] bytes,
// no control or invisible characters inside, and the shape that the definition
// describes. Errors are [ErrNotAPIKey], [ErrNoKey], a [*KeyError], or the
// source's own.
func APIKey(ctx context.Context, d *providers.Definition, src KeySource) (providers.Credential, error) {
	if !d.HasFlow(providers.FlowAPIKey) {
		return providers.Credential{}, fmt.Errorf("%s: %w", d.Name, ErrNotAPIKey)
	}
	entered, err := src(ctx)
	if err != nil {
		return providers.Credential{}, err
	}
	key := strings.TrimSpace(entered.Reveal())
	if err := checkText(key); err != nil {
		return providers.Credential{}, &KeyError{d.Name, err}
	}
	if err := d.CheckValue("api_key", key); err != nil {
		return providers.Credential{}, &KeyError{d.Name, err}
	}
	return providers.Credential{Values: providers.Values{"api_key": secret.New(key)}}, nil
}

// checkText refuses what cannot be meant. Zero-width characters and the like
// come along when a key is copied from a page, and nobody can see them.
func checkText(key string) error {
	switch {
	case key == "":
		return ErrNoKey
	case len(key) > MaxKeyLen:
		return fmt.Errorf("longer than %d bytes", MaxKeyLen)
	case !utf8.ValidString(key):
		return errors.New("not UTF-8 text")
	}
	for i, r := range key {
		if !unicode.IsGraphic(r) {
			return fmt.Errorf("a control or invisible character (%U) at byte %d", r, i)
		}
	}
	return nil
}

// KeyFromEnvironment reads the variables that the definition names for its key,
// and takes the first one that is set.
func KeyFromEnvironment(d *providers.Definition, getenv func(string) string) KeySource {
	return func(context.Context) (secret.String, error) {
		var names []string
		for _, v := range d.Variables() {
			if v.Field != "api_key" {
				continue
			}
			if key := secret.New(getenv(v.Name)); !key.IsZero() {
				return key, nil
			}
			names = append(names, v.Name)
		}
		if names == nil {
			return secret.String{}, fmt.Errorf("the definition of %s names no variable: %w", d.Name, ErrNoKey)
		}
		return secret.String{}, fmt.Errorf("%s is not set: %w", strings.Join(names, " or "), ErrNoKey)
	}
}

// KeyFromReader reads r to its end, which is the key and nothing else.
func KeyFromReader(r io.Reader) KeySource {
	return func(context.Context) (secret.String, error) {
		const limit = MaxKeyLen + 1<<10 // with white space around it
		data, err := io.ReadAll(io.LimitReader(r, limit+1))
		switch {
		case err != nil:
			return secret.String{}, fmt.Errorf("read the key: %w", err)
		case len(data) > limit:
			return secret.String{}, fmt.Errorf("read the key: longer than %d bytes", MaxKeyLen)
		case len(bytes.TrimSpace(data)) == 0:
			return secret.String{}, fmt.Errorf("the input is empty: %w", ErrNoKey)
		}
		return secret.New(string(data)), nil
	}
}

// FirstKey asks the sources in turn and takes the first key. A source that has
// none, [ErrNoKey], is passed over.
func FirstKey(sources ...KeySource) KeySource {
	return func(ctx context.Context) (secret.String, error) {
		err := ErrNoKey
		for _, src := range sources {
			key, srcErr := src(ctx)
			if srcErr == nil || !errors.Is(srcErr, ErrNoKey) {
				return key, srcErr
			}
			err = srcErr
		}
		return secret.String{}, err
	}
}
