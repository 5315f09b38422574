package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// said is what the models of the matrix say.
const said = "hello from the model"

// vendor answers like the services of the bundled providers, and reports whether it
// has.
func (a *answers) vendor(w http.ResponseWriter, r *http.Request, body []byte) bool {
	switch {
	case r.Host == "api.anthropic.com":
		anthropicAnswer(w, r, body)
	case r.Host == "api.openai.com":
		openaiAnswer(w, r, body)
	case strings.HasSuffix(r.Host, ".githubcopilot.com"):
		copilotAnswer(w, r, body)
	case r.Host == "generativelanguage.googleapis.com":
		geminiAnswer(w, r)
	case strings.HasSuffix(r.Host, ".amazonaws.com"):
		amazonAnswer(w, r)
	case r.Host == "api.github.com":
		sendJSON(w, `{"login":"hello from GitHub","id":1,"name":"n","full_name":"o/r","data":{"viewer":{"login":"hello from GitHub"}}}`)
	case r.Host == "registry.npmjs.org":
		registryAnswer(w, r)
	case r.Host == "api.search.brave.com":
		sendJSON(w, `{"web":{"results":[{"title":"hello from the search","description":"d","url":"https://example.com/"}]}}`)
	case r.URL.Path == "/mcp":
		mcpAnswer(w, r, body)
	case strings.HasSuffix(r.URL.Path, "/info/lfs/locks"):
		w.Header().Set("Content-Type", "application/vnd.git-lfs+json")
		fmt.Fprint(w, `{"locks":[{"id":"1","path":"hello from the lock","locked_at":"2026-01-01T00:00:00Z","owner":{"name":"o"}}]}`)
	case strings.HasSuffix(r.URL.Path, "/tags/list"):
		sendJSON(w, `{"name":"hello","tags":["hello from the tag"]}`)
	case r.URL.Path == "/composer/packages.json":
		sendJSON(w, `{"packages":{"vendor/hello":{"1.0.0":{"name":"vendor/hello","version":"1.0.0","dist":{"type":"zip","url":"https://`+routeHost+`/hello.zip"}}}}}`)
	case strings.HasPrefix(r.URL.Path, "/simple/"):
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<a href="/files/hello-1.0-py3-none-any.whl">hello-1.0-py3-none-any.whl</a>`)
	case strings.HasSuffix(r.URL.Path, ".whl"):
		w.Write(wheel)
	default:
		return false
	}
	return true
}

func sendJSON(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, text)
}

// sendEvents sends an event stream. A line "NAME DATA" is an event with a name.
func sendEvents(w http.ResponseWriter, named bool, data ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, d := range data {
		if named {
			var event struct{ Type string }
			json.Unmarshal([]byte(d), &event)
			fmt.Fprintf(w, "event: %s\n", event.Type)
		}
		fmt.Fprintf(w, "data: %s\n\n", d)
	}
}

func anthropicAnswer(w http.ResponseWriter, r *http.Request, body []byte) {
	const usage = `"usage":{"input_tokens":1,"output_tokens":1}`
	switch {
	case r.URL.Path != "/v1/messages":
		sendJSON(w, `{"input_tokens":1,"data":[],"has_more":false}`)
	case !streams(body):
		sendJSON(w, `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"`+said+`"}],"stop_reason":"end_turn","stop_sequence":null,`+usage+`}`)
	default:
		sendEvents(w, true,
			`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,`+usage+`}}`,
			`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`+said+`"}}`,
			`{"type":"content_block_stop","index":0}`,
			`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":4}}`,
			`{"type":"message_stop"}`)
	}
}

// streams reports whether a request for a model asks for an event stream.
func streams(body []byte) bool {
	var request struct{ Stream bool }
	json.Unmarshal(body, &request)
	return request.Stream
}

const (
	openaiItem     = `{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"` + said + `","annotations":[]}]}`
	openaiResponse = `{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":[` + openaiItem + `],"parallel_tool_calls":false,"tool_choice":"auto","tools":[],"usage":{"input_tokens":1,"input_tokens_details":{"cached_tokens":0},"output_tokens":1,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":2}}`
)

// openaiEvents are the events of one response.
var openaiEvents = []string{
	`{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1,"status":"in_progress","model":"m","output":[]}}`,
	`{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","status":"in_progress","content":[]}}`,
	`{"type":"response.content_part.added","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}`,
	`{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"` + said + `"}`,
	`{"type":"response.output_text.done","sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"text":"` + said + `"}`,
	`{"type":"response.output_item.done","sequence_number":5,"output_index":0,"item":` + openaiItem + `}`,
	`{"type":"response.completed","sequence_number":6,"response":` + openaiResponse + `}`,
}

func openaiAnswer(w http.ResponseWriter, r *http.Request, body []byte) {
	switch {
	case r.Header.Get("Upgrade") != "":
		openaiSocket(w, r)
	case r.URL.Path == "/v1/responses" && streams(body):
		sendEvents(w, true, openaiEvents...)
	case r.URL.Path == "/v1/responses":
		sendJSON(w, openaiResponse)
	case strings.HasSuffix(r.URL.Path, "/chat/completions") && streams(body):
		const head = `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":`
		sendEvents(w, false, head+`{"role":"assistant","content":"`+said+`"},"finish_reason":null}]}`, head+`{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`, "[DONE]")
	case strings.HasSuffix(r.URL.Path, "/chat/completions"):
		sendJSON(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"`+said+`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
	default:
		sendJSON(w, `{"object":"list","data":[{"id":"hello from the list","object":"model"}]}`)
	}
}

// copilotModels are models that versions of Copilot's CLI know.
var copilotModels = []string{"claude-sonnet-4", "claude-sonnet-4.5", "claude-haiku-4.5", "gpt-4.1", "gpt-5", "gpt-5-mini", "gpt-5.1", "gpt-5.2"}

// copilotAnswer answers like the models of GitHub Copilot: a list, and OpenAI's API.
func copilotAnswer(w http.ResponseWriter, r *http.Request, body []byte) {
	switch r.URL.Path {
	case "/models":
		var models []string
		for _, id := range copilotModels {
			models = append(models, `{"id":"`+id+`","object":"model","name":"`+id+`","vendor":"v","version":"`+id+`","preview":false,"model_picker_enabled":true,"policy":{"state":"enabled"},"billing":{"is_premium":false,"multiplier":1},`+
				`"supported_endpoints":["/chat/completions"],"capabilities":{"family":"`+id+`","object":"model_capabilities","type":"chat","tokenizer":"o200k_base","limits":{"max_context_window_tokens":128000,"max_output_tokens":16384,"max_prompt_tokens":128000},"supports":{"streaming":true,"tool_calls":true,"parallel_tool_calls":true}}}`)
		}
		sendJSON(w, `{"object":"list","data":[`+strings.Join(models, ",")+`]}`)
	case "/chat/completions", "/responses":
		r.URL.Path = "/v1" + r.URL.Path
		openaiAnswer(w, r, body)
	default:
		sendJSON(w, `{}`)
	}
}

// openaiSocket is the WebSocket of the realtime API, up to its first event, and that of
// the responses API.
func openaiSocket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"realtime"}, InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(16 << 20)
	if r.URL.Path == "/v1/realtime" {
		c.Write(r.Context(), websocket.MessageText, []byte(`{"type":"session.created","event_id":"e","session":{"id":"hello from the session"}}`))
	}
	for {
		if _, _, err := c.Read(r.Context()); err != nil {
			return
		}
		for _, event := range openaiEvents {
			c.Write(r.Context(), websocket.MessageText, []byte(event))
		}
	}
}

func geminiAnswer(w http.ResponseWriter, r *http.Request) {
	const answer = `{"candidates":[{"content":{"role":"model","parts":[{"text":"` + said + `"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2},"modelVersion":"m","totalTokens":1}`
	if strings.HasSuffix(r.URL.Path, ":streamGenerateContent") {
		sendEvents(w, false, answer)
		return
	}
	sendJSON(w, answer)
}

func amazonAnswer(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.Host, "bedrock-runtime."):
		sendJSON(w, `{"output":{"message":{"role":"assistant","content":[{"text":"`+said+`"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2},"metrics":{"latencyMs":1}}`)
	case r.Method == http.MethodHead && r.URL.Path != "/":
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodPut:
		w.Header().Set("ETag", `"e"`)
	case strings.HasPrefix(r.Host, "sts."):
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprint(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Account>hello from AWS</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	case r.URL.Path != "/" || r.URL.RawQuery != "" && !r.URL.Query().Has("x-id"):
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, `<?xml version="1.0"?><ListBucketResult><Name>bucket</Name><Contents><Key>hello from S3</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"e"</ETag></Contents><IsTruncated>false</IsTruncated></ListBucketResult>`)
	default:
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, `<?xml version="1.0"?><ListAllMyBucketsResult><Owner><ID>o</ID></Owner><Buckets><Bucket><Name>hello-from-s3</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>`)
	}
}

// registryAnswer is a registry with one package in one version.
func registryAnswer(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, ".tgz") {
		w.Write(packageArchive)
		return
	}
	if strings.Contains(r.URL.Path, "/-/") {
		sendJSON(w, `{"username":"hello from npm"}`)
		return
	}
	sendJSON(w, `{"name":"hello","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"hello","version":"1.0.0","dist":{"tarball":"https://registry.npmjs.org/hello/-/hello-1.0.0.tgz","integrity":"`+packageIntegrity+`"}}},"time":{"1.0.0":"2020-01-01T00:00:00.000Z"}}`)
}

// mcpAnswer is an MCP server over streamable HTTP with one tool.
func mcpAnswer(w http.ResponseWriter, r *http.Request, body []byte) {
	var call struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			ProtocolVersion string `json:"protocolVersion"`
		} `json:"params"`
	}
	json.Unmarshal(body, &call)
	var answer string
	switch call.Method {
	case "initialize":
		w.Header().Set("Mcp-Session-Id", "session")
		answer = `{"protocolVersion":"` + call.Params.ProtocolVersion + `","capabilities":{"tools":{}},"serverInfo":{"name":"server","version":"1"}}`
	case "tools/list":
		answer = `{"tools":[{"name":"hello","description":"hello from the tool","inputSchema":{"type":"object"}}]}`
	case "ping":
		answer = `{}`
	default:
		switch {
		case r.Method != http.MethodPost:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case call.ID == nil: // a notification
			w.WriteHeader(http.StatusAccepted)
		default:
			sendJSON(w, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"method not found"}}`, call.ID))
		}
		return
	}
	sendJSON(w, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, call.ID, answer))
}
