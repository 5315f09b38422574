<?php
// Every PHP script of the command runs this file first. It replaces PHP's wrapper of
// https:// by one that opens the same stream with a proxy: PHP's wrapper knows proxies,
// but no variable for them, and a default context would not reach the contexts that
// scripts create. http://, and what NO_PROXY names, stays as it is.
namespace Authsome;

final class HttpsStream implements \ArrayAccess, \IteratorAggregate, \Countable
{
    /** @var resource|null the context of the script */
    public $context;
    /** @var resource|false */
    private $stream = false;
    /** @var array the response heads, which scripts find in wrapper_data */
    private $headers = [];

    public function stream_open($url, $mode, $options, &$opened)
    {
        \stream_wrapper_restore('https');
        try {
            \get_defined_vars(); // gives this function a symbol table, where PHP puts the heads
            $this->stream = \fopen($url, $mode, false, $this->withProxy($url)); // its warning says what failed
            $this->headers = $this->responseHeaders(\get_defined_vars());
        } finally {
            register();
        }
        // PHP sets this variable where the stream is opened, which is here. It reaches
        // scripts that open streams outside of functions.
        $GLOBALS['http_response_header'] = $this->headers;
        return $this->stream !== false;
    }

    /** Returns a copy of the script's context, with the proxy for url's host. */
    private function withProxy($url)
    {
        $from = $this->context ?? \stream_context_get_default();
        $parameters = \stream_context_get_params($from);
        $options = $parameters['options'] ?? [];
        unset($parameters['options']);
        $proxy = isset($options['http']['proxy']) ? null : proxyFor($url);
        if ($proxy !== null) {
            $options['http']['proxy'] = $proxy['address'];
            if ($proxy['authorization'] !== '') {
                $header = $options['http']['header'] ?? [];
                $lines = \is_array($header) ? $header : \array_filter(\explode("\r\n", $header), 'strlen');
                $options['http']['header'] = \array_merge($lines, [$proxy['authorization']]);
            }
        }
        return \stream_context_create($options, $parameters);
    }

    private function responseHeaders($variables)
    {
        if ($this->stream !== false) {
            $data = \stream_get_meta_data($this->stream)['wrapper_data'] ?? [];
        } elseif (\function_exists('http_get_last_response_headers')) {
            $data = \http_get_last_response_headers();
        } else {
            $data = $variables['http_response_header'] ?? [];
        }
        return \is_array($data) ? $data : [];
    }

    public function stream_read($count) { return \fread($this->stream, $count); }
    public function stream_write($data) { return \fwrite($this->stream, $data); }
    public function stream_eof() { return \feof($this->stream); }
    public function stream_flush() { return \fflush($this->stream); }
    public function stream_stat() { return \fstat($this->stream); }
    public function stream_close() { \fclose($this->stream); }
    public function stream_cast($as) { return $this->stream; }
    public function url_stat($url, $flags) { return false; }

    public function stream_set_option($option, $first, $second)
    {
        switch ($option) {
            case STREAM_OPTION_BLOCKING:
                return \stream_set_blocking($this->stream, (bool) $first);
            case STREAM_OPTION_READ_TIMEOUT:
                return \stream_set_timeout($this->stream, $first, $second ?? 0);
        }
        return false;
    }

    #[\ReturnTypeWillChange]
    public function offsetExists($i) { return isset($this->headers[$i]); }
    #[\ReturnTypeWillChange]
    public function offsetGet($i) { return $this->headers[$i] ?? null; }
    #[\ReturnTypeWillChange]
    public function offsetSet($i, $value) {}
    #[\ReturnTypeWillChange]
    public function offsetUnset($i) {}
    #[\ReturnTypeWillChange]
    public function getIterator() { return new \ArrayIterator($this->headers); }
    #[\ReturnTypeWillChange]
    public function count() { return \count($this->headers); }
}

function register()
{
    \stream_wrapper_unregister('https');
    \stream_wrapper_register('https', HttpsStream::class, STREAM_IS_URL);
}

/** Returns the proxy for a URL, or null if its host is reached directly. */
function proxyFor($url)
{
    $proxy = \parse_url((string) (\getenv('HTTPS_PROXY') ?: \getenv('https_proxy')));
    $to = \parse_url($url);
    if (!isset($proxy['host'], $to['host']) || ($proxy['scheme'] ?? '') !== 'http') {
        return null;
    }
    if (isExcluded(\strtolower(\rtrim(\trim($to['host'], '[]'), '.')), $to['port'] ?? 443, (string) (\getenv('NO_PROXY') ?: \getenv('no_proxy')))) {
        return null;
    }
    $authorization = '';
    if (isset($proxy['user'])) {
        $authorization = 'Proxy-Authorization: Basic ' . \base64_encode(\rawurldecode($proxy['user']) . ':' . \rawurldecode($proxy['pass'] ?? ''));
    }
    return ['address' => 'tcp://' . $proxy['host'] . ':' . ($proxy['port'] ?? 80), 'authorization' => $authorization];
}

/** Reports whether NO_PROXY excludes a host. Loopback is always excluded. */
function isExcluded($host, $port, $entries)
{
    $address = @\inet_pton($host);
    if ($host === 'localhost' || \substr($host, -10) === '.localhost' || $host === '::1' || $address !== false && isInNetwork($address, '127.0.0.0/8')) {
        return true;
    }
    foreach (\preg_split('/[\s,]+/', \strtolower($entries), -1, PREG_SPLIT_NO_EMPTY) as $entry) {
        if ($entry === '*' || $address !== false && isInNetwork($address, \trim($entry, '[]'))) {
            return true;
        }
        if (\preg_match('/^([^:]+):(\d+)$/', $entry, $parts)) {
            if ((int) $parts[2] !== $port) {
                continue;
            }
            $entry = $parts[1];
        }
        $entry = \trim(\ltrim($entry, '*'), '.');
        if ($entry !== '' && ($host === $entry || \substr($host, -\strlen($entry) - 1) === '.' . $entry)) {
            return true;
        }
    }
    return false;
}

/** Reports whether an address, in binary form, is in a network such as 10.0.0.0/8. */
function isInNetwork($address, $network)
{
    $parts = \explode('/', $network, 2);
    $first = @\inet_pton($parts[0]);
    if ($first === false || \strlen($first) !== \strlen($address)) {
        return false;
    }
    $bits = isset($parts[1]) ? (int) $parts[1] : 8 * \strlen($address);
    for ($i = 0; $bits > 0 && $i < \strlen($address); $i++, $bits -= 8) {
        $mask = $bits >= 8 ? 255 : 255 << (8 - $bits) & 255;
        if ((\ord($first[$i]) ^ \ord($address[$i])) & $mask) {
            return false;
        }
    }
    return true;
}

/** Returns the auto_prepend_file that PHP would have used without ours, or "". */
function userPrepend()
{
    $file = '';
    $settings = \explode(',', \php_ini_loaded_file() . ',' . \php_ini_scanned_files());
    foreach (\array_filter(\array_map('trim', $settings)) as $path) {
        if (\dirname($path) !== __DIR__) {
            $values = @\parse_ini_file($path, false, INI_SCANNER_RAW);
            $file = $values['auto_prepend_file'] ?? $file;
        }
    }
    return \trim((string) $file, "\"' ");
}

if (\in_array('https', \stream_get_wrappers(), true)) {
    register();
}
if (!\in_array(userPrepend(), ['', 'none'], true)) {
    require userPrepend();
}
