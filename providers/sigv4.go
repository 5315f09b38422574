package providers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/authsome/authsome/secret"
)

// ErrUnsigned says that a request to a service whose requests are signed has no
// signature: it asks for no credential, as downloads of what is public do. It is
// as it was, and can be sent without one.
var ErrUnsigned = errors.New("the request is not signed")

// maxHashed bounds the body that is read ahead to be hashed. Clients hash their
// own, or say that it is not signed; what comes here is small.
const maxHashed = 8 << 20

const unsignedPayload = "UNSIGNED-PAYLOAD"

// signer signs requests anew, as AWS Signature Version 4. The client has signed
// them with a placeholder; region and service are taken from there.
type signer struct {
	accessKey               string
	secretKey, sessionToken secret.String
	now                     func() time.Time // nil: time.Now
}

func (c *compiler) sign(i *Injection, in Inject) error {
	s := &signer{}
	var err error
	if s.accessKey, err = c.header("access_key", in.AccessKey); err != nil {
		return err
	}
	secretKey, err := c.expand("secret_key", in.SecretKey)
	if err != nil {
		return err
	}
	s.secretKey = secret.New(secretKey)
	token, err := c.header("session_token", in.SessionToken)
	if _, missing := errors.AsType[*UnfilledError](err); err != nil && !missing {
		return err // without one, the keys are lasting ones
	}
	s.sessionToken = secret.New(token)
	if strings.ContainsAny(s.accessKey, "/, ") {
		return errors.New("the access key has characters that no signature can carry")
	}
	i.signer = s
	return nil
}

// scope is where a signature is good for, and which headers it covers.
type scope struct {
	region, service string
	headers         []string // lower case
}

func (s *signer) sign(r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errors.New("the query cannot be read in one way only, so it cannot be signed")
	}
	at, presigned, err := readScope(r.Header, query)
	if err != nil {
		return err
	}
	hash, err := s.payload(r, at, presigned)
	if err != nil {
		return err
	}
	for name := range query {
		if slices.Contains(signatureParams, strings.ToLower(name)) {
			delete(query, name)
		}
	}
	for name := range r.Header {
		switch strings.ToLower(name) {
		case "authorization", "x-amz-date", "x-amz-security-token":
			delete(r.Header, name)
		}
	}
	// What net/http adds on the way must not be covered, so what the client had
	// covered is: that, and everything of AWS's own, which has to be.
	covered := make(http.Header)
	for name, values := range r.Header {
		lower := strings.ToLower(name)
		if slices.Contains(at.headers, lower) || strings.HasPrefix(lower, "x-amz-") {
			covered[name] = values
		}
	}
	u := *r.URL
	u.RawQuery = query.Encode()
	signed := &http.Request{Method: r.Method, URL: &u, Host: r.Host, Header: covered, ContentLength: r.ContentLength}
	now := time.Now
	if s.now != nil {
		now = s.now
	}
	err = v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{
		AccessKeyID: s.accessKey, SecretAccessKey: s.secretKey.Reveal(), SessionToken: s.sessionToken.Reveal(),
	}, signed, hash, at.service, at.region, now(), func(o *v4.SignerOptions) {
		// S3 takes the path as it is, the others escape it once more.
		o.DisableURIPathEscaping = strings.HasPrefix(at.service, "s3")
	})
	if err != nil {
		return errors.New("the request cannot be signed")
	}
	maps.Copy(r.Header, covered)
	r.URL.RawQuery = u.RawQuery // what is signed is what is sent
	return nil
}

// signatureParams carry the signature of a URL that was signed beforehand.
var signatureParams = []string{"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders", "x-amz-signature", "x-amz-security-token"}

// readScope reads the client's own signature.
func readScope(h http.Header, query url.Values) (at scope, presigned bool, err error) {
	var authorization []string
	for name, values := range h {
		if strings.EqualFold(name, "Authorization") {
			authorization = append(authorization, values...)
		}
	}
	algorithm, credential, headers := "", "", ""
	switch {
	case len(authorization) == 1:
		var rest string
		algorithm, rest, _ = strings.Cut(strings.TrimSpace(authorization[0]), " ")
		for part := range strings.SplitSeq(rest, ",") {
			switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name {
			case "Credential":
				credential = value
			case "SignedHeaders":
				headers = value
			}
		}
	case len(authorization) > 1:
		return at, false, errors.New("the request has two signatures")
	case query.Has("X-Amz-Algorithm"):
		presigned = true
		for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential"} {
			if len(query[name]) != 1 {
				return at, true, errors.New("the request has two signatures")
			}
		}
		algorithm, credential, headers = query.Get("X-Amz-Algorithm"), query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders")
	default:
		return at, false, ErrUnsigned
	}
	if algorithm != "AWS4-HMAC-SHA256" {
		return at, presigned, errors.New("the request is signed in a way that cannot be repeated; AWS4-HMAC-SHA256 can")
	}
	parts := strings.Split(credential, "/")
	n := len(parts)
	if n < 5 || parts[n-1] != "aws4_request" || !scopeName(parts[n-2]) || !scopeName(parts[n-3]) {
		return at, presigned, errors.New("the request's signature names no region and service")
	}
	return scope{region: parts[n-3], service: parts[n-2], headers: strings.Split(strings.ToLower(headers), ";")}, presigned, nil
}

func scopeName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// payload is the hash of the body that is signed: the client's, or one that is
// made here.
func (s *signer) payload(r *http.Request, at scope, presigned bool) (string, error) {
	const header = "X-Amz-Content-Sha256"
	var given []string
	for name, values := range r.Header {
		if strings.EqualFold(name, header) {
			given = append(given, values...)
			if name != header {
				delete(r.Header, name)
			}
		}
	}
	switch {
	case len(given) > 1:
		return "", errors.New("the request has two hashes of its body")
	case len(given) == 1:
		r.Header[header] = given
		return checkPayload(given[0])
	case presigned && strings.HasPrefix(at.service, "s3"):
		r.Header[header] = []string{unsignedPayload} // as presigned URLs of S3 have it
		return unsignedPayload, nil
	}
	sum, err := hashBody(r)
	if err == nil && strings.HasPrefix(at.service, "s3") {
		r.Header[header] = []string{sum}
	}
	return sum, err
}

func checkPayload(hash string) (string, error) {
	switch {
	case hash == unsignedPayload, hash == "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
		return hash, nil
	case strings.HasPrefix(hash, "STREAMING-"):
		return "", errors.New("the pieces of the body are signed one by one with the placeholder; send it unsigned (STREAMING-UNSIGNED-PAYLOAD-TRAILER) or in one piece")
	}
	if sum, err := hex.DecodeString(hash); err != nil || len(sum) != sha256.Size {
		return "", errors.New("the hash of the body is not one of SHA-256")
	}
	return hash, nil
}

// hashBody reads the body, which must be a small one, and puts it back.
func hashBody(r *http.Request) (string, error) {
	if r.Body == nil || r.Body == http.NoBody {
		sum := sha256.Sum256(nil)
		return hex.EncodeToString(sum[:]), nil
	}
	if r.ContentLength > maxHashed {
		return "", fmt.Errorf("a body of more than %d MiB cannot be hashed here; the client can send its hash", maxHashed>>20)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxHashed+1))
	if err != nil {
		return "", fmt.Errorf("read the body to hash it: %w", err)
	}
	if len(body) > maxHashed {
		return "", fmt.Errorf("a body of more than %d MiB cannot be hashed here; the client can send its hash", maxHashed>>20)
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(body), r.Body}
	r.ContentLength = int64(len(body))
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}
