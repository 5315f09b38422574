<?php
// Requests https://HOST/NAME with each client, and prints NAME and the status, or the error.
// With --trust php, all of them reach the proxy; without it, only curl does. With "direct"
// for HOST, each request must go where the script sends it.
$host = $argv[1];
$headers = ['Authorization: Bearer ' . getenv('UPSTREAM_API_KEY')];
$context = stream_context_create(['http' => ['header' => $headers, 'ignore_errors' => true]]);

function status($headers) { return explode(' ', $headers[0] ?? 'no answer')[1]; }

$clients = [
    'curl' => function ($url) use ($headers) {
        $c = curl_init($url);
        curl_setopt_array($c, [CURLOPT_RETURNTRANSFER => true, CURLOPT_HTTPHEADER => $headers]);
        return curl_exec($c) === false ? curl_error($c) : curl_getinfo($c, CURLINFO_RESPONSE_CODE);
    },
    'fopen' => function ($url) use ($context) {
        $f = fopen($url, 'r', false, $context);
        stream_set_timeout($f, 20);
        $body = stream_get_contents($f);
        $data = stream_get_meta_data($f)['wrapper_data'];
        return strpos($body, 'hello') === 0 && feof($f) && count($data) > 1 ? status($data) : 'incomplete';
    },
    'post' => function ($url) use ($headers) {
        $c = stream_context_create(['http' => ['method' => 'POST', 'header' => implode("\r\n", $headers) . "\r\n", 'content' => 'x=1']]);
        return status(stream_get_meta_data(fopen($url, 'r', false, $c))['wrapper_data']);
    },
    'copy' => function ($url) use ($context) {
        $to = tempnam(sys_get_temp_dir(), 'copy');
        return copy($url, $to, $context) && strpos(file_get_contents($to), 'hello') === 0 ? 200 : 'not copied';
    },
    'default' => function ($url) use ($headers) {
        stream_context_set_default(['http' => ['header' => $headers]]);
        return strpos(file_get_contents($url), 'hello') === 0 ? 200 : 'no body';
    },
];
if ($host === 'direct') {
    $own = stream_context_create(['http' => ['proxy' => 'tcp://127.0.0.1:9']]);
    $requests = ['loopback' => ['https://127.0.0.2:9/', $context], 'plain' => ['http://127.0.0.1:9/', $context],
        'excluded' => ['https://a.excluded.test/', $context], 'own_proxy' => ['https://other.test/', $own]];
    set_error_handler(function ($level, $message) { echo " failed: $message\n"; });
    foreach ($requests as $name => $request) {
        echo $name;
        file_get_contents($request[0], false, $request[1]);
    }
    exit;
}
foreach ($clients as $name => $client) {
    try {
        echo $name, ' ', @$client("https://$host/$name"), "\n";
    } catch (Throwable $e) {
        echo $name, ' failed: ', $e->getMessage(), "\n";
    }
}
@file_get_contents("https://$host/global", false, $context);
echo 'global ', status($http_response_header ?? []), "\n";
