package hometest

import (
	"encoding/json"
	"maps"
)

// members are those of a record in JSON.
type members map[string]any

// record has all members that the Python authsome writes into a record: those that are
// not given are null.
func record(profile, key string, given members, names ...string) Record {
	all := members{"schema_version": 2, "profile": profile, "metadata": members{}}
	for _, name := range names {
		all[name] = nil
	}
	maps.Copy(all, given)
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // a value of this file that JSON does not have
	}
	return Record{Profile: profile, Key: key, Value: string(text)}
}

// connection is the record of a connection.
func connection(profile, provider, name string, given members) Record {
	given = maps.Clone(given)
	given["provider"], given["connection_name"], given["status"], given["obtained_at"] = provider, name, "connected", createdAt
	given["auth_type"] = "oauth2"
	if given["api_key"] != nil {
		given["auth_type"] = "api_key"
	}
	given["account"] = members{"id": nil, "label": nil}
	return record(profile, provider+":connection:"+name, given,
		"base_url", "host_url", "scopes", "access_token", "refresh_token", "token_type", "expires_at", "api_key")
}

// client is the record of a provider's OAuth client.
func client(profile, provider string, given members) Record {
	given = maps.Clone(given)
	given["provider"], given["client_id"], given["client_secret"] = provider, "client-of-"+provider, "client-secret-of-"+provider
	return record(profile, provider+":client", given, "base_url", "host_url", "scopes")
}

// names is the record of a provider's connections, of which the first is the default.
func names(profile, provider string, connections ...string) Record {
	return record(profile, provider+":metadata", members{
		"provider": provider, "default_connection": connections[0], "connection_names": connections, "last_used_connection": connections[0],
	})
}

func key1(host, name string) string {
	return `{"schema_version": 1, "name": "` + name + `", "display_name": "` + name + `", "auth_type": "api_key", "flow": "api_key", "api_key": {"header_name": "X-Key", "header_prefix": ""}, "host_url": "` + host + `", "metadata": {}}`
}

// Fixtures are the homes below cmd/authsome/testdata/pythonhomes, by name.
var Fixtures = map[string]Home{
	// The form of the Python authsome always stores the address of GitHub.
	"github": {Records: []Record{
		client("default", "github", members{"base_url": "https://github.com", "host_url": "api.github.com", "scopes": []string{"repo", "read:user"}}),
		connection("default", "github", "default", members{
			"base_url": "https://github.com", "host_url": "api.github.com", "scopes": []string{"repo", "read:user"}, "access_token": "gho_fixture_0123456789", "token_type": "bearer",
		}),
		names("default", "github", "default"),
	}},
	// Both programs would use one refresh token.
	"rotating": {Records: []Record{
		client("default", "gitlab", members{"scopes": []string{"api"}}),
		connection("default", "gitlab", "default", members{
			"access_token": "gitlab_fixture_access", "refresh_token": "gitlab_fixture_refresh", "token_type": "Bearer", "expires_at": "2031-01-02T05:04:05.678901Z",
		}),
		names("default", "gitlab", "default"),
		connection("default", "resend", "default", members{"api_key": "re_fixture_0123456789", "host_url": "api.resend.com"}),
		names("default", "resend", "default"),
	}},
	"profiles": {
		Definitions: map[string]string{"acmecrm": key1("https://api.acmecrm.com/v1", "acmecrm"), "toowide": key1("regex:.*", "toowide")},
		Records: []Record{
			connection("default", "acmecrm", "default", members{"api_key": "ak_fixture", "host_url": "https://api.acmecrm.com/v1"}),
			names("default", "acmecrm", "default"),
			connection("default", "openai", "My Account", members{"api_key": "sk-fixture-one-0123456789abcdef0123456789", "host_url": "api.openai.com"}),
			connection("default", "openai", "work", members{"api_key": "sk-fixture-two-0123456789abcdef0123456789", "host_url": "api.openai.com"}),
			names("default", "openai", "My Account", "work"),
			connection("default", "toowide", "default", members{"api_key": "tw_fixture"}),
			names("default", "toowide", "default"),
			connection("work", "mailchimp", "default", members{"api_key": "0123456789abcdef0123456789abcdef-us6", "host_url": "api.mailchimp.com"}),
			names("work", "mailchimp", "default"),
			client("work", "github", members{"base_url": "https://ghe.corp.example", "host_url": "api.github.com"}),
			connection("work", "github", "default", members{"base_url": "https://ghe.corp.example", "host_url": "api.github.com", "access_token": "gho_fixture_corp", "token_type": "bearer"}),
			names("work", "github", "default"),
			connection("Agent_1", "linear", "default", members{"base_url": "https://linear.corp.example", "access_token": "lin_fixture", "token_type": "Bearer"}),
			connection("Agent_1", "resend", "default", members{"api_key": "re_fixture_agent_0123456789", "host_url": "api.resend.com"}),
			names("Agent_1", "resend", "default"),
		},
	},
}
