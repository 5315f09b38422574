package providers

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/authsome/authsome/secret"
)

const awsAuthorization = "AWS4-HMAC-SHA256 Credential=PLACEHOLDER/20990101/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=0000"

// awsSigner returns an injection that signs at a fixed time, as AWS's published
// examples do.
func awsSigner(at, key, secretKey string) *Injection {
	moment, err := time.Parse("20060102T150405Z", at)
	if err != nil {
		panic(err)
	}
	return &Injection{signer: &signer{accessKey: key, secretKey: secret.New(secretKey), now: func() time.Time { return moment }}}
}

func awsRequest(t testing.TB, method, target, authorization string, body io.Reader, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

const (
	suiteKey, suiteSecret = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	s3Key, s3Secret       = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	emptyHash             = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// The expected signatures are from AWS's test suite and from its page about the
// Authorization header of S3.
func TestSigV4Vectors(t *testing.T) {
	suite := awsSigner("20150830T123600Z", suiteKey, suiteSecret)
	s3 := awsSigner("20130524T000000Z", s3Key, s3Secret)
	s3Authorization := func(headers string) string {
		return "AWS4-HMAC-SHA256 Credential=PLACEHOLDER/20990101/us-east-1/s3/aws4_request,SignedHeaders=" + headers + ",Signature=0"
	}
	for _, tt := range []struct {
		name      string
		injection *Injection
		r         *http.Request
		want      string
	}{
		{"get-vanilla", suite, awsRequest(t, "GET", "https://example.amazonaws.com/", awsAuthorization, nil), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-vanilla-query-order-key-case", suite, awsRequest(t, "GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", awsAuthorization, nil), "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"post-vanilla", suite, awsRequest(t, "POST", "https://example.amazonaws.com/", awsAuthorization, nil), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"S3 GET object", s3, awsRequest(t, "GET", "https://examplebucket.s3.amazonaws.com/test.txt", s3Authorization("host;range;x-amz-content-sha256;x-amz-date"), nil,
			"Range", "bytes=0-9", "X-Amz-Content-Sha256", emptyHash), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
		{"S3 PUT object", s3, awsRequest(t, "PUT", "https://examplebucket.s3.amazonaws.com/test$file.text", s3Authorization("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class"),
			nil, "Date", "Fri, 24 May 2013 00:00:00 GMT", "X-Amz-Storage-Class", "REDUCED_REDUNDANCY", "X-Amz-Content-Sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
		{"S3 bucket lifecycle", s3, awsRequest(t, "GET", "https://examplebucket.s3.amazonaws.com/?lifecycle", s3Authorization("host;x-amz-content-sha256;x-amz-date"), nil,
			"X-Amz-Content-Sha256", emptyHash), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "S3 PUT object" {
				tt.r.URL.RawPath = "/test%24file.text" // as in the example
			}
			if err := tt.injection.Apply(tt.r); err != nil {
				t.Fatal(err)
			}
			if got := tt.r.Header.Get("Authorization"); !strings.HasSuffix(got, "Signature="+tt.want) || strings.Contains(got, "PLACEHOLDER") {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// verifySigV4 computes the signature of a received request as the service does.
func verifySigV4(t *testing.T, r *http.Request, body []byte, secretKey string) {
	t.Helper()
	m := regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=[^/]+/(\d{8})/([^/]+)/([^/]+)/aws4_request, SignedHeaders=(\S+), Signature=([0-9a-f]{64})$`).FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		t.Fatalf("Authorization: %s", r.Header.Get("Authorization"))
	}
	date, region, service, signed := m[1], m[2], m[3], strings.Split(m[4], ";")
	hash := r.Header.Get("X-Amz-Content-Sha256")
	if hash == "" {
		sum := sha256.Sum256(body)
		hash = hex.EncodeToString(sum[:])
	}
	var canonical strings.Builder
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(service, "s3") {
		segments := strings.Split(path, "/")
		for i, s := range segments {
			segments[i] = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
		}
		path = strings.Join(segments, "/")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for name, all := range query {
		for _, v := range all {
			pairs = append(pairs, strings.ReplaceAll(url.QueryEscape(name)+"="+url.QueryEscape(v), "+", "%20"))
		}
	}
	slices.Sort(pairs)
	fmt.Fprintf(&canonical, "%s\n%s\n%s\n", r.Method, path, strings.Join(pairs, "&"))
	for _, name := range signed {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, strings.TrimSpace(value))
	}
	fmt.Fprintf(&canonical, "\n%s\n%s", strings.Join(signed, ";"), hash)
	sum := sha256.Sum256([]byte(canonical.String()))
	key := []byte("AWS4" + secretKey)
	for _, part := range []string{date, region, service, "aws4_request"} {
		key = mac(key, part)
	}
	toSign := fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%x", r.Header.Get("X-Amz-Date"), date, region, service, sum)
	if got := hex.EncodeToString(mac(key, toSign)); got != m[5] {
		t.Errorf("signature %s, want %s of\n%s", m[5], got, canonical.String())
	}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") && !slices.Contains(signed, lower) {
			t.Errorf("%s is not signed", name)
		}
	}
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

type signingCase struct {
	name   string
	values Values
	r      *http.Request
	err    string // part of the error; if empty, the request is signed
	hash   string // X-Amz-Content-Sha256 in the result
	query  string // query in the result
}

// signingCases returns requests as clients sign them. Big is a body that is larger than
// maxHashed.
func signingCases(t *testing.T, big io.Reader) []signingCase {
	t.Helper()
	permanent := values("access_key_id", "AKID", "secret_access_key", "real/secret")
	temporary := values("access_key_id", "ASIA", "secret_access_key", "real/secret", "session_token", "real-session")
	authorization := func(region, service, headers string) string {
		return "AWS4-HMAC-SHA256 Credential=PLACEHOLDER/20990101/" + region + "/" + service + "/aws4_request, SignedHeaders=" + headers + ", Signature=00"
	}
	return []signingCase{
		{"hash from the client", permanent, awsRequest(t, "PUT", "https://b.s3.eu-west-1.amazonaws.com/a%20b/c", authorization("eu-west-1", "s3", "content-type;host;x-amz-content-sha256;x-amz-date"), strings.NewReader("body"),
			"X-Amz-Content-Sha256", "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5", "Content-Type", "text/plain", "X-Amz-Date", "20990101T000000Z"), "", "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5", ""},
		{"hash computed by the proxy", temporary, awsRequest(t, "POST", "https://dynamodb.us-east-1.amazonaws.com/", authorization("us-east-1", "dynamodb", "content-type;host;x-amz-date;x-amz-target"), strings.NewReader(`{"a":1}`),
			"Content-Type", "application/x-amz-json-1.0", "X-Amz-Target", "DynamoDB.ListTables", "X-Amz-Security-Token", "placeholder"), "", "", ""},
		{"body of unknown length", permanent, awsRequest(t, "POST", "https://sts.amazonaws.com/a%2Fb/c d", authorization("us-east-1", "sts", "host;x-amz-date"), iotest.OneByteReader(strings.NewReader("Action=GetCallerIdentity"))), "", "", ""},
		{"unsigned body", permanent, awsRequest(t, "PUT", "https://b.s3.amazonaws.com/x", authorization("us-east-1", "s3", "host"), big, "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"), "", "UNSIGNED-PAYLOAD", ""},
		{"unsigned stream", permanent, awsRequest(t, "PUT", "https://b.s3.amazonaws.com/x", authorization("us-east-1", "s3", "host"), big, "X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Trailer", "x-amz-checksum-crc32"), "", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", ""},
		{"presigned URL", temporary, awsRequest(t, "GET", "https://b.s3.us-west-2.amazonaws.com/k?x-id=GetObject&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=PLACEHOLDER%2F20990101%2Fus-west-2%2Fs3%2Faws4_request&X-Amz-Date=20990101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=p&X-Amz-Signature=00", "", nil), "", "UNSIGNED-PAYLOAD", "x-id=GetObject"},
		{"query with repeats and spaces", permanent, awsRequest(t, "GET", "https://iam.amazonaws.com/?b=2&b=1&a=x+y&c=%2B%20", authorization("us-east-1", "iam", "host;x-amz-date"), nil), "", "", "a=x%20y&b=1&b=2&c=%2B%20"},
		{"signed stream", permanent, awsRequest(t, "PUT", "https://b.s3.amazonaws.com/x", authorization("us-east-1", "s3", "host"), nil, "X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), "each chunk of the body is signed", "", ""},
		{"body too big to hash", permanent, awsRequest(t, "POST", "https://sqs.amazonaws.com/x", authorization("us-east-1", "sqs", "host"), io.MultiReader(bytes.NewReader(make([]byte, maxHashed)), strings.NewReader("x"))), "cannot be hashed", "", ""},
		{"body too big to hash, with its length", permanent, awsRequest(t, "POST", "https://sqs.amazonaws.com/x", authorization("us-east-1", "sqs", "host"), big), "cannot be hashed", "", ""},
		{"unsigned request", permanent, awsRequest(t, "GET", "https://b.s3.amazonaws.com/public", "", nil), ErrUnsigned.Error(), "", ""},
		{"unsupported algorithm", permanent, awsRequest(t, "GET", "https://b.s3.amazonaws.com/x", "AWS4-ECDSA-P256-SHA256 Credential=P/20990101/s3/aws4_request", nil), "not supported", "", ""},
		{"no scope", permanent, awsRequest(t, "GET", "https://b.s3.amazonaws.com/x", "AWS4-HMAC-SHA256 Credential=P, SignedHeaders=host", nil), "no valid region", "", ""},
		{"invalid scope", permanent, awsRequest(t, "GET", "https://b.s3.amazonaws.com/x", authorization("us east", "s3", "host"), nil), "no valid region", "", ""},
		{"ambiguous query", permanent, awsRequest(t, "GET", "https://b.s3.amazonaws.com/x?a;b", authorization("us-east-1", "s3", "host"), nil), "ambiguous", "", ""},
		{"invalid hash", permanent, awsRequest(t, "GET", "https://b.s3.amazonaws.com/x", authorization("us-east-1", "s3", "host"), nil, "X-Amz-Content-Sha256", "abc"), "not a SHA-256 hash", "", ""},
	}
}

func TestSigV4(t *testing.T) {
	d := define(t, `,"params":[{"name":"access_key_id"},{"name":"secret_access_key","secret":true},{"name":"session_token","secret":true,"optional":true}],
		"inject":[{"in":"sigv4","access_key":"{access_key_id}","secret_key":"{secret_access_key}","session_token":"{session_token}"}]`)
	big := bytes.NewReader(make([]byte, maxHashed+1))
	for _, tt := range signingCases(t, big) {
		t.Run(tt.name, func(t *testing.T) {
			i, err := d.Injection(Credential{Values: tt.values})
			if err != nil {
				t.Fatal(err)
			}
			big.Seek(0, io.SeekStart)
			r := tt.r
			r.Header["x-amz-security-TOKEN"] = []string{"placeholder"}
			err = i.Apply(r)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want …%s…", err, tt.err)
				}
				if (tt.err == ErrUnsigned.Error()) != errors.Is(err, ErrUnsigned) {
					t.Errorf("error %v: errors.Is(err, ErrUnsigned) is wrong", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var body []byte
			if r.Body != nil && tt.hash == "" {
				if body, err = io.ReadAll(r.Body); err != nil || int64(len(body)) != r.ContentLength {
					t.Errorf("the body has %d bytes, ContentLength is %d, error %v", len(body), r.ContentLength, err)
				}
			}
			verifySigV4(t, r, body, "real/secret")
			if got := r.Header.Get("X-Amz-Content-Sha256"); got != tt.hash {
				t.Errorf("hash %q", got)
			}
			if got := r.Header.Get("X-Amz-Security-Token"); got != tt.values["session_token"].Reveal() {
				t.Errorf("session token %q", got)
			}
			for name := range r.Header {
				if name != "X-Amz-Security-Token" && strings.EqualFold(name, "X-Amz-Security-Token") {
					t.Errorf("the client's %s was not removed", name)
				}
			}
			if r.URL.RawQuery != tt.query {
				t.Errorf("query %q", r.URL.RawQuery)
			}
			if at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date")); err != nil || time.Since(at).Abs() > time.Hour {
				t.Errorf("X-Amz-Date %s", r.Header.Get("X-Amz-Date"))
			}
		})
	}
}
