package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/authsome/authsome/providers"
)

// describe returns a definition and its aliases as rows of a name and a value.
func describe(d *providers.Definition, aliases []string) [][]string {
	var rows [][]string
	add := func(name string, values ...string) {
		for i, v := range values {
			if i > 0 {
				name = ""
			}
			if v != "" {
				rows = append(rows, []string{name, v})
			}
		}
	}
	title := d.Name
	if d.DisplayName != d.Name {
		title += ", " + d.DisplayName
	}
	add("name", title)
	add("aliases", strings.Join(aliases, ", "))
	add("category", d.Category)
	add("source", d.Source)
	add("type", d.AuthType()+", by "+strings.Join(d.Flows, " or "))
	add("get key", d.KeyURL)
	add("or a token", d.TokenProvider)
	add("asks for", asked(d)...)
	add("hosts", strings.Join(d.Hosts, ", "))
	add("base URL", d.BaseURL)
	add("paths", strings.Join(d.Paths, ", "))
	add("not under", strings.Join(d.Exclude, ", "))
	add("not at", strings.Join(d.OAuthPaths, ", "))
	add("methods", strings.Join(d.Methods, ", "))
	add("sends", injections(d)...)
	add("strips", strings.Join(d.Remove, ", "))
	add("sign-in", d.Endpoints()...)
	if d.OAuth != nil {
		add("scopes", strings.Join(d.OAuth.Scopes, " "))
	}
	var variables []string
	for _, v := range d.Variables() {
		if v.Unset {
			variables = append(variables, v.Name+", which commands do not get")
			continue
		}
		variables = append(variables, v.Name+"="+cmp.Or(v.Placeholder, v.Value))
	}
	add("variables", variables...)
	if v := d.Verify; v != nil {
		add("checked by", cmp.Or(v.Method, "GET")+" "+v.URL)
	}
	add("docs", d.Docs)
	if m := d.Metadata; m != nil {
		add("note", m.Note)
		switch {
		case m.Unverified:
			add("verified", "not yet; "+m.Source)
		case m.Checked != "":
			add("verified", m.Checked+"; "+m.Source)
		}
	}
	for _, w := range d.Warnings() {
		if w.Field != "metadata.unverified" || !d.Metadata.Unverified { // which has a row
			add("warning", w.Error())
		}
	}
	return rows
}

// asked returns the values that login asks for.
func asked(d *providers.Definition) []string {
	var all []string
	for _, p := range d.Params {
		if p.From != "" {
			continue
		}
		text := p.Name
		if p.Label != "" && p.Label != p.Name {
			text += ", " + p.Label
		}
		var notes []string
		if p.Secret {
			notes = append(notes, "secret")
		}
		if p.Optional {
			notes = append(notes, "optional")
		}
		if p.Default != "" {
			notes = append(notes, "default "+p.Default)
		}
		if len(notes) > 0 {
			text += " (" + strings.Join(notes, ", ") + ")"
		}
		if p.Hint != "" {
			text += ": " + p.Hint
		}
		all = append(all, text)
	}
	return all
}

// injections returns where and how the credential is put on a request.
func injections(d *providers.Definition) []string {
	if len(d.Inject) == 0 {
		if d.AuthType() == providers.AuthAPIKey {
			return []string{"Authorization: Bearer {api_key}"}
		}
		return []string{"Authorization: Bearer {access_token}"}
	}
	var all []string
	for _, in := range d.Inject {
		text := ""
		switch in.In {
		case providers.InHeader:
			text = in.Name + ": " + in.Value
		case providers.InQuery:
			text = "?" + in.Name + "=" + in.Value
		case providers.InBasic:
			text = fmt.Sprintf("Authorization: Basic %s:%s", in.Username, in.Password)
		case providers.InPath:
			text = in.Prefix + in.Value + "/…"
		case providers.InSigV4:
			text = "an AWS signature with " + in.AccessKey
		}
		if in.IfAbsent {
			text += ", unless the client sends one"
		}
		all = append(all, text)
	}
	return all
}
