package e2e

const (
	routeURL  = "https://" + routeHost + "/x"
	gitURL    = "https://" + otherHost + "/git/project.git"
	newGit    = `git init -q source; git -C source -c user.name=e2e -c user.email=e2e@example.com commit -q --allow-empty -m "hello from the repository"; mkdir "$SERVED"; git clone -q --bare source "$SERVED/project.git"; `
	fakeProxy = "http://192.0.2.9:3128" // leads nowhere
)

// anything is part of whatever a client prints that does not show what it received.
const anything = "\n"

var awsHosts = []string{"s3.eu-west-1.amazonaws.com", "bucket.s3.eu-west-1.amazonaws.com", "sts.eu-west-1.amazonaws.com", "bedrock-runtime.eu-west-1.amazonaws.com"}

var awsRegion = []string{"AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1"}

// tools are programs for the command line.
var tools = []client{
	{group: "Command line", name: "curl, HTTP/1.1", version: "curl --version", want: ok, argv: []string{"curl", "-fsS", "--http1.1", routeURL}},
	{group: "Command line", name: "curl, HTTP/2", version: "curl --version", want: ok, argv: []string{"curl", "-fsS", "--http2", routeURL}},
	{group: "Command line", name: "curl with a proxy in `~/.curlrc`", version: "curl --version", want: ok, argv: []string{"curl", "-fsS", "--connect-timeout", "3", routeURL},
		files: map[string]string{".curlrc": "proxy = " + fakeProxy + "\n"}},
	{group: "Command line", name: "wget", version: "wget --version", want: ok, argv: []string{"wget", "-qO-", routeURL}},
	{group: "Command line", name: "wget2", version: "wget2 --version", want: safe, note: "begins TLS with the proxy, whose URL is `http://`; wget works", argv: []string{"wget2", "--tries=1", "-qO-", routeURL}},
	{group: "Command line", name: "aria2", version: "aria2c --version", want: safe, note: "has no variable for certificates; `--ca-certificate=$SSL_CERT_FILE` works", argv: []string{"sh", "-c", "aria2c -q -d . -o out " + routeURL + " && cat out"}},
	{group: "Command line", name: "HTTPie", version: "http --version", want: ok, argv: []string{"http", "--ignore-stdin", "--body", routeURL}},
	{group: "Command line", name: "lynx", version: "lynx -version", want: ok, argv: []string{"lynx", "-dump", routeURL}},
	{group: "Command line", name: "w3m", version: "w3m -version", want: ok, argv: []string{"w3m", "-dump", routeURL}},
	{group: "Command line", name: "git clone", version: "git --version", want: ok, argv: []string{"sh", "-c", "git clone -q " + gitURL + " clone && git -C clone log"}, before: newGit, logins: []string{"git"}, hosts: []string{otherHost}},
	{group: "Command line", name: "git with `http.proxy` in `~/.gitconfig`", version: "git --version", want: ok, argv: []string{"sh", "-c", "git clone -q " + gitURL + " clone && git -C clone log"}, before: newGit + "git config --global http.proxy " + fakeProxy,
		logins: []string{"git"}, hosts: []string{otherHost}},
	{group: "Command line", name: "git-lfs", version: "git lfs version", want: ok, argv: []string{"git", "lfs", "locks", "--remote", "https://" + otherHost + "/project.git"}, before: "git init -q .", logins: []string{"git"}, hosts: []string{otherHost}, prints: "hello from the lock"},
	{group: "Command line", name: "gh", version: "gh --version", want: ok, argv: []string{"gh", "api", "user"}, logins: []string{"github-pat"}, hosts: []string{"api.github.com"}},
	{group: "Command line", name: "gh repo view (GraphQL)", version: "gh --version", want: ok, argv: []string{"gh", "api", "graphql", "-f", "query={viewer{login}}"}, logins: []string{"github-pat"}, hosts: []string{"api.github.com"}},
	{group: "Command line", name: "skopeo", version: "skopeo --version", want: ok, argv: []string{"skopeo", "list-tags", "docker://" + routeHost + "/hello"}},
	{group: "Command line", name: "AWS CLI", version: "aws --version", want: ok, argv: []string{"aws", "sts", "get-caller-identity"}, env: awsRegion, logins: []string{"aws"}, hosts: awsHosts},
	{group: "Command line", name: "AWS CLI, S3", version: "aws --version", want: ok, argv: []string{"aws", "s3", "ls", "s3://bucket/"}, env: awsRegion, logins: []string{"aws"}, hosts: awsHosts},
	{group: "Command line", name: "rclone, S3", version: "rclone --version", want: ok, argv: []string{"rclone", "--retries", "1", "--low-level-retries", "1", "lsf", ":s3,provider=AWS,env_auth=true,region=eu-west-1:bucket"}, env: awsRegion, logins: []string{"aws"}, hosts: awsHosts},
	{group: "Command line", name: "s3cmd", version: "s3cmd --version", want: bypass, trust: "python", note: "reads the proxy only from `~/.s3cfg`", argv: []string{"s3cmd", "--host", "s3.eu-west-1.amazonaws.com", "--host-bucket", "%(bucket)s.s3.eu-west-1.amazonaws.com", "--region", "eu-west-1", "ls", "s3://bucket"}, logins: []string{"aws"}, hosts: awsHosts},
	{group: "Command line", name: "restic, S3", version: "restic version", want: ok, argv: []string{"restic", "-r", "s3:https://s3.eu-west-1.amazonaws.com/bucket", "init"}, env: append([]string{"RESTIC_PASSWORD=x"}, awsRegion...), logins: []string{"aws"}, hosts: append([]string{"bucket.s3.dualstack.eu-west-1.amazonaws.com"}, awsHosts...), prints: "created restic repository"},

	{group: "Package managers", name: "npm view", version: "npm --version", want: ok, argv: []string{"npm", "view", "hello", "version"}, logins: []string{"npm"}, hosts: []string{"registry.npmjs.org"}, prints: "1.0.0"},
	{group: "Package managers", name: "npm install", version: "npm --version", want: ok, argv: []string{"npm", "install", "--no-audit", "hello"}, logins: []string{"npm"}, hosts: []string{"registry.npmjs.org"}, prints: "added 1 package"},
	{group: "Package managers", name: "npm with `https-proxy` in `~/.npmrc`", version: "npm --version", want: ok, argv: []string{"npm", "install", "--no-audit", "hello"}, files: map[string]string{".npmrc": "https-proxy=" + fakeProxy + "\nfetch-retries=0\nfetch-timeout=3000\n"},
		logins: []string{"npm"}, hosts: []string{"registry.npmjs.org"}, prints: "added 1 package"},
	{group: "Package managers", name: "yarn", version: "npm:yarn", want: ok, argv: script(nodeProgram("node22"), "node_modules/yarn/bin/yarn.js", "add", "--registry", "https://registry.npmjs.org", "hello"), logins: []string{"npm"}, hosts: []string{"registry.npmjs.org"}, prints: "success Saved"},
	{group: "Package managers", name: "pnpm", version: "npm:pnpm", want: ok, argv: []string{pnpm, "add", "hello"}, files: map[string]string{"package.json": "{}"}, logins: []string{"npm"}, hosts: []string{"registry.npmjs.org"}, prints: "hello 1.0.0"},
	{group: "Package managers", name: "bun add", version: "npm:bun", want: ok, argv: []string{bun, "add", "hello"}, files: map[string]string{"package.json": "{}"}, logins: []string{"npm"}, hosts: []string{"registry.npmjs.org"}, prints: "hello@1.0.0"},
	{group: "Package managers", name: "pip", version: "pip3 --version", want: ok, argv: []string{"pip3", "install", "--break-system-packages", "--target", "out", "--index-url", "https://" + routeHost + "/simple/", "hello"}, prints: "Successfully installed"},
	{group: "Package managers", name: "composer", version: "composer --version", want: ok, argv: []string{"composer", "show", "--available", "--no-interaction", "vendor/hello"}, files: map[string]string{"composer.json": `{"repositories":[{"type":"composer","url":"https://` + routeHost + `/composer"},{"packagist.org":false}]}`}, prints: "1.0.0"},
	{group: "Package managers", name: "gem", version: "gem --version", want: ok, argv: []string{"gem", "search", "--remote", "--clear-sources", "--source", "https://" + routeHost + "/gems/", "hello"}, prints: anything},
}
