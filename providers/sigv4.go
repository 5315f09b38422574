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

// ErrUnsigned means that a request has no signature although the service uses signed
// requests. Clients do not sign downloads of public data. The request is unchanged
// and can be sent without a credential.
var ErrUnsigned = errors.New("the request is not signed")

// maxHashed limits a body that is read into memory to hash it, in bytes. Clients hash
// large bodies themselves or declare them unsigned.
const maxHashed = 8 << 20

var errTooBig = RequestError(fmt.Sprintf("a body of more than %d MiB cannot be hashed by the proxy; send its hash in X-Amz-Content-Sha256", maxHashed>>20))

const unsignedPayload = "UNSIGNED-PAYLOAD"

// signer replaces the signature of a request, in AWS Signature Version 4. The client
// signed the request with a placeholder. Region and service are taken from that
// signature.
type signer struct {
	accessKey               string
	secretKey, sessionToken secret.String
	now                     func() time.Time // if nil, time.Now
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
		return err // without a session token, the keys are permanent
	}
	s.sessionToken = secret.New(token)
	if strings.ContainsAny(s.accessKey, "/, ") {
		return errors.New("the access key contains characters that are not allowed in a signature")
	}
	i.signer = s
	return nil
}

// scope says where a signature is valid and which headers it covers.
type scope struct {
	region, service string
	headers         []string // lower case
}

func (s *signer) sign(r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return RequestError("the query is ambiguous and cannot be signed")
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
		for _, replaced := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
			if SameField(name, replaced) {
				delete(r.Header, name)
			}
		}
	}
	// Headers that net/http adds later must not be covered. So the signature covers
	// the headers that the client covered, and the X-Amz headers, as AWS requires.
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
		// S3 signs the path as it is sent, other services escape it once more.
		o.DisableURIPathEscaping = strings.HasPrefix(at.service, "s3")
	})
	if err != nil {
		return errors.New("the request cannot be signed")
	}
	maps.Copy(r.Header, covered)
	r.URL.RawQuery = u.RawQuery // send exactly what is signed
	return nil
}

// signatureParams lists the query parameters of a presigned URL.
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
		return at, false, RequestError("the request has two signatures")
	case query.Has("X-Amz-Algorithm"):
		presigned = true
		for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential"} {
			if len(query[name]) != 1 {
				return at, true, RequestError("the request has two signatures")
			}
		}
		algorithm, credential, headers = query.Get("X-Amz-Algorithm"), query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders")
	default:
		return at, false, ErrUnsigned
	}
	if algorithm != "AWS4-HMAC-SHA256" {
		return at, presigned, RequestError("the algorithm of the request's signature is not supported; use AWS4-HMAC-SHA256")
	}
	parts := strings.Split(credential, "/")
	n := len(parts)
	if n < 5 || parts[n-1] != "aws4_request" || !scopeName(parts[n-2]) || !scopeName(parts[n-3]) {
		return at, presigned, RequestError("the request's signature has no valid region and service")
	}
	return scope{region: parts[n-3], service: parts[n-2], headers: strings.Split(strings.ToLower(headers), ";")}, presigned, nil
}

func scopeName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// payload returns the hash of the body for the signature: the client's, or else one
// computed from the body.
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
		return "", RequestError("the request has two hashes of its body")
	case len(given) == 1:
		r.Header[header] = given
		return checkPayload(given[0])
	case presigned && strings.HasPrefix(at.service, "s3"):
		r.Header[header] = []string{unsignedPayload} // as for all presigned URLs of S3
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
		return "", RequestError("each chunk of the body is signed with the placeholder; send the body unsigned (STREAMING-UNSIGNED-PAYLOAD-TRAILER) or in one chunk")
	}
	if sum, err := hex.DecodeString(hash); err != nil || len(sum) != sha256.Size {
		return "", RequestError("the hash of the body is not a SHA-256 hash")
	}
	return hash, nil
}

// hashBody hashes the body, up to maxHashed bytes, and makes it readable again.
func hashBody(r *http.Request) (string, error) {
	if r.Body == nil || r.Body == http.NoBody {
		sum := sha256.Sum256(nil)
		return hex.EncodeToString(sum[:]), nil
	}
	if r.ContentLength > maxHashed {
		return "", errTooBig
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxHashed+1))
	if err != nil {
		return "", RequestError("the body of the request is malformed or incomplete")
	}
	if len(body) > maxHashed {
		return "", errTooBig
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(body), r.Body}
	r.ContentLength = int64(len(body))
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}
