package child

import (
	"maps"
	"strings"
)

// bundleVariables replace a client's trusted roots, so they name the bundle, which
// contains the system's roots and the authority. Each was tested with its client.
var bundleVariables = []string{
	"SSL_CERT_FILE",                    // OpenSSL, Go, Python's ssl, Ruby, cargo
	"REQUESTS_CA_BUNDLE",               // Python requests, pip, boto3
	"CURL_CA_BUNDLE",                   // curl
	"GIT_SSL_CAINFO",                   // git with GnuTLS reads only this one
	"PIP_CERT",                         // pip
	"CARGO_HTTP_CAINFO",                // cargo
	"NPM_CONFIG_CAFILE",                // npm
	"HTTPLIB2_CA_CERTS",                // Python httplib2
	"PERL_LWP_SSL_CA_FILE",             // Perl LWP
	"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", // gRPC in Python, C++ and others

	"BUNDLE_SSL_CA_CERT",                 // Ruby's bundler
	"HEX_CACERTS_PATH",                   // Erlang's and Elixir's hex
	"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", // gcloud
}

// extraRootVariables add to a client's roots, so they name a file with the authority and
// the certificates that the parent had added.
var extraRootVariables = []string{"NODE_EXTRA_CA_CERTS", "DENO_CERT"}

// bundleVariablesIfSet also replace a client's roots, and a few clients prefer them
// to bundleVariables. They are changed to the bundle only if the parent has set them.
var bundleVariablesIfSet = []string{
	"NIX_SSL_CERT_FILE", // OpenSSL of nixpkgs; overrides SSL_CERT_FILE
	"HTTPS_CA_FILE",     // Perl LWP
	// The AWS SDKs. With it, those for Go refuse an HTTP client that is not theirs, as
	// rclone has one; without it, all of them read one of the others.
	"AWS_CA_BUNDLE",
	"YARN_HTTPS_CA_FILE_PATH", // yarn, from version 2 on
}

func (e *Environment) setTrust(env map[string]string) {
	// npm ignores the case of its variables, and sets the lower-case ones for its scripts.
	maps.DeleteFunc(env, func(name, _ string) bool { return strings.EqualFold(name, "NPM_CONFIG_CAFILE") })
	for _, name := range bundleVariables {
		env[name] = e.Files.Bundle
	}
	for _, name := range bundleVariablesIfSet {
		if _, set := env[name]; set {
			env[name] = e.Files.Bundle
		}
	}
	for _, name := range e.Configured.Roots {
		env[name] = e.Files.Bundle
	}
	for _, name := range extraRootVariables {
		env[name] = e.Files.Authority
	}
	// Clients would read this directory in addition to the bundle, which already
	// contains its certificates.
	delete(env, "SSL_CERT_DIR")
	env["WGETRC"] = e.Files.Wgetrc
	if e.Files.Curl != "" {
		env["CURL_HOME"] = e.Files.Curl
	}
}
