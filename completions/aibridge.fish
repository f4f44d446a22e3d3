# Completion of aibridge for fish. It goes here:
#   aibridge completion fish > ~/.config/fish/completions/aibridge.fish
# Generated from the program's commands and options: python -m tools.reference

# Whether one of these commands is at work, and none of these flags is on the line yet; a final = means that
# it takes a value.
function __aibridge_flag
    set -l words (commandline -opc)
    contains -- "$words[2]" (string split ' ' -- $argv[1]); or return 1
    for flag in $argv[2..-1]
        # The value of the flag at the cursor is yet to come.
        test "$words[-1]=" = $flag; and return 0
        contains -- (string trim -r -c = -- $flag) (string replace -r '=.*' '' -- $words); and return 1
    end
    return 0
end

# Whether one of these commands is at work, and the word at the cursor is its argument of this number. The
# flags are those that take the next word.
function __aibridge_argument
    set -l words (commandline -opc)
    contains -- "$words[2]" (string split ' ' -- $argv[1]); or return 1
    set -l place 1
    set -l value no
    set -l ended no
    for word in $words[3..-1]
        if test $value = yes
            set value no
        else if test $ended = yes; or not string match -q -- '-*' $word
            set place (math $place + 1)
        else if test "$word" = --
            set ended yes
        else if contains -- $word $argv[3..-1]
            set value yes
        end
    end
    test $place -eq $argv[2]
end

# The list at the cursor, with each of these words behind it that is not in it yet.
function __aibridge_list
    set -l before (string match -r '.*,' -- (string replace -r '^--[^=]*=' '' -- (commandline -ct)))
    for word in $argv
        contains -- $word (string split , -- "$before"); or echo "$before$word"
    end
end

complete -c aibridge -f
complete -c aibridge -n '__aibridge_argument "" 1' -a serve -d 'Run the proxy and its admin listener until SIGINT or SIGTERM; on SIGHUP reread the configuration'
complete -c aibridge -n '__aibridge_argument "" 1' -a top -d 'Watch a running bridge: rejects by protection, callers, and the health of each provider'
complete -c aibridge -n '__aibridge_argument "" 1' -a check -d 'Print the configuration in force and where each value came from; start nothing'
complete -c aibridge -n '__aibridge_argument "" 1' -a doctor -d 'Examine providers, keys, clock, descriptors, files and limits before callers depend on them'
complete -c aibridge -n '__aibridge_argument "" 1' -a breaker -d 'Override a provider\'s circuit breaker on a running bridge, or on each of several'
complete -c aibridge -n '__aibridge_argument "" 1' -a explain -d 'Say what a running bridge decided about a request'
complete -c aibridge -n '__aibridge_argument "" 1' -a token -d 'Make, list and revoke the tokens of known callers'
complete -c aibridge -n '__aibridge_argument "" 1' -a reload -d 'Let a running bridge reread its configuration, and print what has changed'
complete -c aibridge -n '__aibridge_argument "" 1' -a init -d 'Write a first configuration file, from a few questions or from flags'
complete -c aibridge -n '__aibridge_argument "" 1' -a mock -d 'Run a mock provider: OpenAI and Anthropic APIs, streams, failures on demand'
complete -c aibridge -n '__aibridge_argument "" 1' -a demo -d 'Show what a bridge is worth while a provider fails; needs no key'
complete -c aibridge -n '__aibridge_argument "" 1' -a simulate -d 'Simulate load and failures against settings in virtual time: an hour takes seconds'
complete -c aibridge -n '__aibridge_argument "" 1' -a completion -d 'Print a shell\'s completion script'
complete -c aibridge -n '__aibridge_argument "" 1' -a schema -d 'Print the JSON Schema of aibridge.toml, or of the callers\' file'
complete -c aibridge -n '__aibridge_argument "" 1' -a man -d 'Print the source of a man page: aibridge, aibridge.toml, or a command\'s'
complete -c aibridge -n '__aibridge_argument "" 1' -a help -d 'Show what a command does, and its options'
complete -c aibridge -n '__aibridge_flag "" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_flag "serve" --config=' -l config -r -F -d 'Configuration file (TOML); its keys are the flags\' names with _ for -'
complete -c aibridge -n '__aibridge_flag "serve"' -l bind -x -d 'Address for callers, or unix:/PATH for a unix socket; [::] includes IPv4'
complete -c aibridge -n '__aibridge_flag "serve" --bind-mode=' -l bind-mode -x -d 'Permissions of the unix sockets in --bind, in octal'
complete -c aibridge -n '__aibridge_flag "serve" --admin-bind=' -l admin-bind -x -d 'Address of the admin listener (health, metrics, status); off loopback it needs --admin-token-file'
complete -c aibridge -n '__aibridge_flag "serve" --admin-token-file=' -l admin-token-file -r -F -d 'File with the token that the admin listener requires'
complete -c aibridge -n '__aibridge_flag "serve" --tls-cert=' -l tls-cert -r -F -d 'Certificate chain of the callers\' listener, PEM; needs --tls-key'
complete -c aibridge -n '__aibridge_flag "serve" --tls-key=' -l tls-key -r -F -d 'Private key of --tls-cert, PEM, without a passphrase'
complete -c aibridge -n '__aibridge_flag "serve" --tls-client-ca=' -l tls-client-ca -r -F -d 'Authorities (PEM) of client certificates, which name callers beside tokens; needs --tls-cert'
complete -c aibridge -n '__aibridge_flag "serve" --trusted-proxies=' -l trusted-proxies -x -d 'Networks of proxies whose X-Forwarded-For header is trusted'
complete -c aibridge -n '__aibridge_flag "serve" --allowed-hosts=' -l allowed-hosts -x -d 'Host names accepted on a loopback listener, besides loopback addresses and localhost'
complete -c aibridge -n '__aibridge_flag "serve" --allowed-origins=' -l allowed-origins -x -d 'Origins of web pages that may use the bridge, besides its own; null is one of them'
complete -c aibridge -n '__aibridge_flag "serve" --callers-file=' -l callers-file -r -F -d 'File with the callers that are known and their classes (TOML); others get 401'
complete -c aibridge -n '__aibridge_flag "serve" --allow-anonymous --no-allow-anonymous' -l allow-anonymous -d 'Serve callers without a token beside known ones, and permit a central key on a listener off loopback'
complete -c aibridge -n '__aibridge_flag "serve" --allow-anonymous --no-allow-anonymous' -l no-allow-anonymous -d 'The opposite of --allow-anonymous'
complete -c aibridge -n '__aibridge_flag "serve" --max-concurrency=' -l max-concurrency -x -d 'Maximum requests in flight, per replica; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "serve" --rate-limit=' -l rate-limit -x -d 'Maximum requests per second of one caller, per replica; 0 is off'
complete -c aibridge -n '__aibridge_flag "serve" --max-concurrency-per-caller=' -l max-concurrency-per-caller -x -d 'Maximum requests in flight of one caller; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "serve" --max-concurrency-per-provider=' -l max-concurrency-per-provider -x -d 'Maximum requests in flight to one provider; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "serve" --queue-size=' -l queue-size -x -d 'Maximum requests that wait for a free slot or for their caller\'s rate limit; 0 is no queue'
complete -c aibridge -n '__aibridge_flag "serve" --queue-timeout=' -l queue-timeout -x -d 'Maximum time a request waits in the queue'
complete -c aibridge -n '__aibridge_flag "serve" --adaptive --no-adaptive' -l adaptive -d 'Learn how much each provider takes; hold requests instead of rejecting them, and send them again'
complete -c aibridge -n '__aibridge_flag "serve" --adaptive --no-adaptive' -l no-adaptive -d 'The opposite of --adaptive'
complete -c aibridge -n '__aibridge_flag "serve" --hold-keepalive=' -l hold-keepalive -x -d 'With --adaptive: interval of comments in the stream of a request that is held; 0s is none'
complete -c aibridge -n '__aibridge_flag "serve" --shadow=' -l shadow -x -a '(__aibridge_list concurrency concurrency-per-caller concurrency-per-provider rate breaker credential adaptive)' -d 'Protections in shadow mode: count what they would reject, but admit it: concurrency, concurrency-per-caller, concurrency-per-provider, rate, breaker, credential, adaptive'
complete -c aibridge -n '__aibridge_flag "serve" --max-body=' -l max-body -x -d 'Maximum size of a request body; a larger one gets 413'
complete -c aibridge -n '__aibridge_flag "serve" --max-buffered=' -l max-buffered -x -d 'Memory for request bodies read before they are forwarded, half of it for one caller; beyond it 503'
complete -c aibridge -n '__aibridge_flag "serve" --max-connections=' -l max-connections -x -d 'Maximum open connections of callers; 0 is half the file descriptors, at most 4096'
complete -c aibridge -n '__aibridge_flag "serve" --max-connections-per-address=' -l max-connections-per-address -x -d 'Maximum open connections of one address; 0 is half of all off loopback, no limit for trusted proxies'
complete -c aibridge -n '__aibridge_flag "serve" --keep-alive-timeout=' -l keep-alive-timeout -x -d 'How long a caller\'s idle connection stays open; set it longer than a load balancer in front does'
complete -c aibridge -n '__aibridge_flag "serve" --store=' -l store -x -d 'Redis or Valkey that replicas share limits in: redis://, rediss://, unix://, redis+sentinel://, redis+cluster://'
complete -c aibridge -n '__aibridge_flag "serve" --store-prefix=' -l store-prefix -x -d 'Beginning of all keys in the store; replicas with the same one share their limits'
complete -c aibridge -n '__aibridge_flag "serve" --store-failure=' -l store-failure -x -a 'local closed' -d 'While the store is away: each replica has its part of each limit, or rejects requests'
complete -c aibridge -n '__aibridge_flag "serve" --store-timeout=' -l store-timeout -x -d 'How long a request waits for the store at most, 1s at the longest'
complete -c aibridge -n '__aibridge_flag "serve" --workers=' -l workers -x -d 'Processes that serve callers, at most 64; more than one have a supervisor, and their limits are common'
complete -c aibridge -n '__aibridge_flag "serve" --circuit-breaker --no-circuit-breaker' -l circuit-breaker -d 'Enable a circuit breaker per provider'
complete -c aibridge -n '__aibridge_flag "serve" --circuit-breaker --no-circuit-breaker' -l no-circuit-breaker -d 'The opposite of --circuit-breaker'
complete -c aibridge -n '__aibridge_flag "serve" --circuit-breaker-failure-threshold=' -l circuit-breaker-failure-threshold -x -d 'Failures within the window that open the breaker'
complete -c aibridge -n '__aibridge_flag "serve" --circuit-breaker-failure-share=' -l circuit-breaker-failure-share -x -d 'Share of the calls in the window that must have failed, too; 0 is off'
complete -c aibridge -n '__aibridge_flag "serve" --circuit-breaker-window=' -l circuit-breaker-window -x -d 'How long a failure counts towards the threshold'
complete -c aibridge -n '__aibridge_flag "serve" --circuit-breaker-cooldown=' -l circuit-breaker-cooldown -x -d 'How long the breaker stays open before it lets probes through'
complete -c aibridge -n '__aibridge_flag "serve" --circuit-breaker-half-open-max-requests=' -l circuit-breaker-half-open-max-requests -x -d 'Maximum probes in flight while half-open, and successful probes needed to close'
complete -c aibridge -n '__aibridge_flag "serve" --circuit-breaker-max-cooldown=' -l circuit-breaker-max-cooldown -x -d 'Maximum cooldown, whether the provider asked for it or several trips in a row lengthened it'
complete -c aibridge -n '__aibridge_flag "serve" --circuit-breaker-429=' -l circuit-breaker-429 -x -a 'provider credential' -d 'What a 429 on a caller\'s own key counts against: the provider, or only that key'
complete -c aibridge -n '__aibridge_flag "serve" --circuit-breaker-scope=' -l circuit-breaker-scope -x -a 'provider endpoint model' -d 'What has a breaker of its own: each provider, each endpoint, or each model'
complete -c aibridge -n '__aibridge_flag "serve" --circuit-breaker-models=' -l circuit-breaker-models -x -d 'For scope model: model names, or prefixes that end in *; all other models share one breaker'
complete -c aibridge -n '__aibridge_flag "serve" --circuit-breaker-slow-first-byte=' -l circuit-breaker-slow-first-byte -x -d 'A first byte that arrives later than this counts as a failure; 0s is off'
complete -c aibridge -n '__aibridge_flag "serve" --circuit-breaker-ramp=' -l circuit-breaker-ramp -x -d 'Time from closing until all requests are admitted again; 0s is at once'
complete -c aibridge -n '__aibridge_flag "serve" --openai-base-url=' -l openai-base-url -x -d 'Base URL of the OpenAI API'
complete -c aibridge -n '__aibridge_flag "serve" --anthropic-base-url=' -l anthropic-base-url -x -d 'Base URL of the Anthropic API'
complete -c aibridge -n '__aibridge_flag "serve" --copilot-base-url=' -l copilot-base-url -x -d 'Base URL of the Copilot API'
complete -c aibridge -n '__aibridge_flag "serve" --openai-organization=' -l openai-organization -x -d 'OpenAI-Organization header sent with the central key for OpenAI'
complete -c aibridge -n '__aibridge_flag "serve" --openai-project=' -l openai-project -x -d 'OpenAI-Project header sent with the central key for OpenAI'
complete -c aibridge -n '__aibridge_flag "serve" --stored-references --no-stored-references' -l stored-references -d 'With a central key: accept bodies that name stored data, like previous_response_id; otherwise 403'
complete -c aibridge -n '__aibridge_flag "serve" --stored-references --no-stored-references' -l no-stored-references -d 'The opposite of --stored-references'
complete -c aibridge -n '__aibridge_flag "serve" --forward-caller-keys --no-forward-caller-keys' -l forward-caller-keys -d 'With a central key: forward the caller\'s own credential if the request has one'
complete -c aibridge -n '__aibridge_flag "serve" --forward-caller-keys --no-forward-caller-keys' -l no-forward-caller-keys -d 'The opposite of --forward-caller-keys'
complete -c aibridge -n '__aibridge_flag "serve" --upstream-proxy=' -l upstream-proxy -x -d 'Proxy for all providers; without it HTTPS_PROXY applies'
complete -c aibridge -n '__aibridge_flag "serve" --upstream-ca=' -l upstream-ca -r -F -d 'CA certificates to trust for providers, besides the usual ones; PEM'
complete -c aibridge -n '__aibridge_flag "serve" --connect-timeout=' -l connect-timeout -x -d 'Timeout for connecting to a provider, TCP and TLS together; 0s is off'
complete -c aibridge -n '__aibridge_flag "serve" --first-byte-timeout=' -l first-byte-timeout -x -d 'Timeout for the provider\'s response head; 0s is off'
complete -c aibridge -n '__aibridge_flag "serve" --max-duration=' -l max-duration -x -d 'Maximum duration of a request at its provider, response included; 0s is off'
complete -c aibridge -n '__aibridge_flag "serve" --idle-timeout=' -l idle-timeout -x -d 'Timeout between two pieces of a response; 0s is off'
complete -c aibridge -n '__aibridge_flag "serve" --drain-delay=' -l drain-delay -x -d 'After a stop signal: how long new requests are still served while /readyz returns 503'
complete -c aibridge -n '__aibridge_flag "serve" --graceful-timeout=' -l graceful-timeout -x -d 'After the drain delay: how long requests in flight may take to finish; 0s is no limit'
complete -c aibridge -n '__aibridge_flag "serve" --state-file=' -l state-file -r -F -d 'File for what survives a restart: budgets, breakers, learned limits; written every 30 s and at the end'
complete -c aibridge -n '__aibridge_flag "serve" --log-level=' -l log-level -x -a 'debug info warning error' -d 'Lowest level that is logged; logs go to stderr'
complete -c aibridge -n '__aibridge_flag "serve" --log-file=' -l log-file -r -F -d 'File for the log in place of stderr; a reload (SIGHUP) opens it again'
complete -c aibridge -n '__aibridge_flag "serve" --log-format=' -l log-format -x -a 'auto human json' -d 'Format of log lines; auto is human on a terminal, otherwise json'
complete -c aibridge -n '__aibridge_flag "serve" --otel-endpoint=' -l otel-endpoint -x -d 'Base URL of a collector of OpenTelemetry\'s traces (OTLP over HTTP); needs the extra otel'
complete -c aibridge -n '__aibridge_flag "serve" --otel-service-name=' -l otel-service-name -x -d 'Name of this service in traces'
complete -c aibridge -n '__aibridge_flag "serve" --otel-sample=' -l otel-sample -x -d 'Share of the traces that begin here; callers\' own traces say whether they are sampled'
complete -c aibridge -n '__aibridge_flag "serve" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "serve" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "serve" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_flag "top"' -l url -x -d 'URL of the bridge\'s admin listener; of several replicas each, or a name with their addresses'
complete -c aibridge -n '__aibridge_flag "top" --once' -l once -d 'Watch for one interval, print one frame and exit'
complete -c aibridge -n '__aibridge_flag "top" --json' -l json -d 'Print the bridge\'s status as JSON, one document per line'
complete -c aibridge -n '__aibridge_flag "top" --interval=' -l interval -x -d 'Time between two frames, or two lines of JSON'
complete -c aibridge -n '__aibridge_flag "top" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "top" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "top" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_flag "check" --config=' -l config -r -F -d 'Configuration file (TOML); its keys are the flags\' names with _ for -'
complete -c aibridge -n '__aibridge_flag "check"' -l bind -x -d 'Address for callers, or unix:/PATH for a unix socket; [::] includes IPv4'
complete -c aibridge -n '__aibridge_flag "check" --bind-mode=' -l bind-mode -x -d 'Permissions of the unix sockets in --bind, in octal'
complete -c aibridge -n '__aibridge_flag "check" --admin-bind=' -l admin-bind -x -d 'Address of the admin listener (health, metrics, status); off loopback it needs --admin-token-file'
complete -c aibridge -n '__aibridge_flag "check" --admin-token-file=' -l admin-token-file -r -F -d 'File with the token that the admin listener requires'
complete -c aibridge -n '__aibridge_flag "check" --tls-cert=' -l tls-cert -r -F -d 'Certificate chain of the callers\' listener, PEM; needs --tls-key'
complete -c aibridge -n '__aibridge_flag "check" --tls-key=' -l tls-key -r -F -d 'Private key of --tls-cert, PEM, without a passphrase'
complete -c aibridge -n '__aibridge_flag "check" --tls-client-ca=' -l tls-client-ca -r -F -d 'Authorities (PEM) of client certificates, which name callers beside tokens; needs --tls-cert'
complete -c aibridge -n '__aibridge_flag "check" --trusted-proxies=' -l trusted-proxies -x -d 'Networks of proxies whose X-Forwarded-For header is trusted'
complete -c aibridge -n '__aibridge_flag "check" --allowed-hosts=' -l allowed-hosts -x -d 'Host names accepted on a loopback listener, besides loopback addresses and localhost'
complete -c aibridge -n '__aibridge_flag "check" --allowed-origins=' -l allowed-origins -x -d 'Origins of web pages that may use the bridge, besides its own; null is one of them'
complete -c aibridge -n '__aibridge_flag "check" --callers-file=' -l callers-file -r -F -d 'File with the callers that are known and their classes (TOML); others get 401'
complete -c aibridge -n '__aibridge_flag "check" --allow-anonymous --no-allow-anonymous' -l allow-anonymous -d 'Serve callers without a token beside known ones, and permit a central key on a listener off loopback'
complete -c aibridge -n '__aibridge_flag "check" --allow-anonymous --no-allow-anonymous' -l no-allow-anonymous -d 'The opposite of --allow-anonymous'
complete -c aibridge -n '__aibridge_flag "check" --max-concurrency=' -l max-concurrency -x -d 'Maximum requests in flight, per replica; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "check" --rate-limit=' -l rate-limit -x -d 'Maximum requests per second of one caller, per replica; 0 is off'
complete -c aibridge -n '__aibridge_flag "check" --max-concurrency-per-caller=' -l max-concurrency-per-caller -x -d 'Maximum requests in flight of one caller; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "check" --max-concurrency-per-provider=' -l max-concurrency-per-provider -x -d 'Maximum requests in flight to one provider; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "check" --queue-size=' -l queue-size -x -d 'Maximum requests that wait for a free slot or for their caller\'s rate limit; 0 is no queue'
complete -c aibridge -n '__aibridge_flag "check" --queue-timeout=' -l queue-timeout -x -d 'Maximum time a request waits in the queue'
complete -c aibridge -n '__aibridge_flag "check" --adaptive --no-adaptive' -l adaptive -d 'Learn how much each provider takes; hold requests instead of rejecting them, and send them again'
complete -c aibridge -n '__aibridge_flag "check" --adaptive --no-adaptive' -l no-adaptive -d 'The opposite of --adaptive'
complete -c aibridge -n '__aibridge_flag "check" --hold-keepalive=' -l hold-keepalive -x -d 'With --adaptive: interval of comments in the stream of a request that is held; 0s is none'
complete -c aibridge -n '__aibridge_flag "check" --shadow=' -l shadow -x -a '(__aibridge_list concurrency concurrency-per-caller concurrency-per-provider rate breaker credential adaptive)' -d 'Protections in shadow mode: count what they would reject, but admit it: concurrency, concurrency-per-caller, concurrency-per-provider, rate, breaker, credential, adaptive'
complete -c aibridge -n '__aibridge_flag "check" --max-body=' -l max-body -x -d 'Maximum size of a request body; a larger one gets 413'
complete -c aibridge -n '__aibridge_flag "check" --max-buffered=' -l max-buffered -x -d 'Memory for request bodies read before they are forwarded, half of it for one caller; beyond it 503'
complete -c aibridge -n '__aibridge_flag "check" --max-connections=' -l max-connections -x -d 'Maximum open connections of callers; 0 is half the file descriptors, at most 4096'
complete -c aibridge -n '__aibridge_flag "check" --max-connections-per-address=' -l max-connections-per-address -x -d 'Maximum open connections of one address; 0 is half of all off loopback, no limit for trusted proxies'
complete -c aibridge -n '__aibridge_flag "check" --keep-alive-timeout=' -l keep-alive-timeout -x -d 'How long a caller\'s idle connection stays open; set it longer than a load balancer in front does'
complete -c aibridge -n '__aibridge_flag "check" --store=' -l store -x -d 'Redis or Valkey that replicas share limits in: redis://, rediss://, unix://, redis+sentinel://, redis+cluster://'
complete -c aibridge -n '__aibridge_flag "check" --store-prefix=' -l store-prefix -x -d 'Beginning of all keys in the store; replicas with the same one share their limits'
complete -c aibridge -n '__aibridge_flag "check" --store-failure=' -l store-failure -x -a 'local closed' -d 'While the store is away: each replica has its part of each limit, or rejects requests'
complete -c aibridge -n '__aibridge_flag "check" --store-timeout=' -l store-timeout -x -d 'How long a request waits for the store at most, 1s at the longest'
complete -c aibridge -n '__aibridge_flag "check" --workers=' -l workers -x -d 'Processes that serve callers, at most 64; more than one have a supervisor, and their limits are common'
complete -c aibridge -n '__aibridge_flag "check" --circuit-breaker --no-circuit-breaker' -l circuit-breaker -d 'Enable a circuit breaker per provider'
complete -c aibridge -n '__aibridge_flag "check" --circuit-breaker --no-circuit-breaker' -l no-circuit-breaker -d 'The opposite of --circuit-breaker'
complete -c aibridge -n '__aibridge_flag "check" --circuit-breaker-failure-threshold=' -l circuit-breaker-failure-threshold -x -d 'Failures within the window that open the breaker'
complete -c aibridge -n '__aibridge_flag "check" --circuit-breaker-failure-share=' -l circuit-breaker-failure-share -x -d 'Share of the calls in the window that must have failed, too; 0 is off'
complete -c aibridge -n '__aibridge_flag "check" --circuit-breaker-window=' -l circuit-breaker-window -x -d 'How long a failure counts towards the threshold'
complete -c aibridge -n '__aibridge_flag "check" --circuit-breaker-cooldown=' -l circuit-breaker-cooldown -x -d 'How long the breaker stays open before it lets probes through'
complete -c aibridge -n '__aibridge_flag "check" --circuit-breaker-half-open-max-requests=' -l circuit-breaker-half-open-max-requests -x -d 'Maximum probes in flight while half-open, and successful probes needed to close'
complete -c aibridge -n '__aibridge_flag "check" --circuit-breaker-max-cooldown=' -l circuit-breaker-max-cooldown -x -d 'Maximum cooldown, whether the provider asked for it or several trips in a row lengthened it'
complete -c aibridge -n '__aibridge_flag "check" --circuit-breaker-429=' -l circuit-breaker-429 -x -a 'provider credential' -d 'What a 429 on a caller\'s own key counts against: the provider, or only that key'
complete -c aibridge -n '__aibridge_flag "check" --circuit-breaker-scope=' -l circuit-breaker-scope -x -a 'provider endpoint model' -d 'What has a breaker of its own: each provider, each endpoint, or each model'
complete -c aibridge -n '__aibridge_flag "check" --circuit-breaker-models=' -l circuit-breaker-models -x -d 'For scope model: model names, or prefixes that end in *; all other models share one breaker'
complete -c aibridge -n '__aibridge_flag "check" --circuit-breaker-slow-first-byte=' -l circuit-breaker-slow-first-byte -x -d 'A first byte that arrives later than this counts as a failure; 0s is off'
complete -c aibridge -n '__aibridge_flag "check" --circuit-breaker-ramp=' -l circuit-breaker-ramp -x -d 'Time from closing until all requests are admitted again; 0s is at once'
complete -c aibridge -n '__aibridge_flag "check" --openai-base-url=' -l openai-base-url -x -d 'Base URL of the OpenAI API'
complete -c aibridge -n '__aibridge_flag "check" --anthropic-base-url=' -l anthropic-base-url -x -d 'Base URL of the Anthropic API'
complete -c aibridge -n '__aibridge_flag "check" --copilot-base-url=' -l copilot-base-url -x -d 'Base URL of the Copilot API'
complete -c aibridge -n '__aibridge_flag "check" --openai-organization=' -l openai-organization -x -d 'OpenAI-Organization header sent with the central key for OpenAI'
complete -c aibridge -n '__aibridge_flag "check" --openai-project=' -l openai-project -x -d 'OpenAI-Project header sent with the central key for OpenAI'
complete -c aibridge -n '__aibridge_flag "check" --stored-references --no-stored-references' -l stored-references -d 'With a central key: accept bodies that name stored data, like previous_response_id; otherwise 403'
complete -c aibridge -n '__aibridge_flag "check" --stored-references --no-stored-references' -l no-stored-references -d 'The opposite of --stored-references'
complete -c aibridge -n '__aibridge_flag "check" --forward-caller-keys --no-forward-caller-keys' -l forward-caller-keys -d 'With a central key: forward the caller\'s own credential if the request has one'
complete -c aibridge -n '__aibridge_flag "check" --forward-caller-keys --no-forward-caller-keys' -l no-forward-caller-keys -d 'The opposite of --forward-caller-keys'
complete -c aibridge -n '__aibridge_flag "check" --upstream-proxy=' -l upstream-proxy -x -d 'Proxy for all providers; without it HTTPS_PROXY applies'
complete -c aibridge -n '__aibridge_flag "check" --upstream-ca=' -l upstream-ca -r -F -d 'CA certificates to trust for providers, besides the usual ones; PEM'
complete -c aibridge -n '__aibridge_flag "check" --connect-timeout=' -l connect-timeout -x -d 'Timeout for connecting to a provider, TCP and TLS together; 0s is off'
complete -c aibridge -n '__aibridge_flag "check" --first-byte-timeout=' -l first-byte-timeout -x -d 'Timeout for the provider\'s response head; 0s is off'
complete -c aibridge -n '__aibridge_flag "check" --max-duration=' -l max-duration -x -d 'Maximum duration of a request at its provider, response included; 0s is off'
complete -c aibridge -n '__aibridge_flag "check" --idle-timeout=' -l idle-timeout -x -d 'Timeout between two pieces of a response; 0s is off'
complete -c aibridge -n '__aibridge_flag "check" --drain-delay=' -l drain-delay -x -d 'After a stop signal: how long new requests are still served while /readyz returns 503'
complete -c aibridge -n '__aibridge_flag "check" --graceful-timeout=' -l graceful-timeout -x -d 'After the drain delay: how long requests in flight may take to finish; 0s is no limit'
complete -c aibridge -n '__aibridge_flag "check" --state-file=' -l state-file -r -F -d 'File for what survives a restart: budgets, breakers, learned limits; written every 30 s and at the end'
complete -c aibridge -n '__aibridge_flag "check" --log-level=' -l log-level -x -a 'debug info warning error' -d 'Lowest level that is logged; logs go to stderr'
complete -c aibridge -n '__aibridge_flag "check" --log-file=' -l log-file -r -F -d 'File for the log in place of stderr; a reload (SIGHUP) opens it again'
complete -c aibridge -n '__aibridge_flag "check" --log-format=' -l log-format -x -a 'auto human json' -d 'Format of log lines; auto is human on a terminal, otherwise json'
complete -c aibridge -n '__aibridge_flag "check" --otel-endpoint=' -l otel-endpoint -x -d 'Base URL of a collector of OpenTelemetry\'s traces (OTLP over HTTP); needs the extra otel'
complete -c aibridge -n '__aibridge_flag "check" --otel-service-name=' -l otel-service-name -x -d 'Name of this service in traces'
complete -c aibridge -n '__aibridge_flag "check" --otel-sample=' -l otel-sample -x -d 'Share of the traces that begin here; callers\' own traces say whether they are sampled'
complete -c aibridge -n '__aibridge_flag "check" --diff' -l diff -d 'Print only what differs from the defaults'
complete -c aibridge -n '__aibridge_flag "check" --json' -l json -d 'Print one JSON document: each option\'s value, default and source, and the warnings'
complete -c aibridge -n '__aibridge_flag "check" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "check" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "check" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_flag "doctor" --config=' -l config -r -F -d 'Configuration file (TOML); its keys are the flags\' names with _ for -'
complete -c aibridge -n '__aibridge_flag "doctor"' -l bind -x -d 'Address for callers, or unix:/PATH for a unix socket; [::] includes IPv4'
complete -c aibridge -n '__aibridge_flag "doctor" --bind-mode=' -l bind-mode -x -d 'Permissions of the unix sockets in --bind, in octal'
complete -c aibridge -n '__aibridge_flag "doctor" --admin-bind=' -l admin-bind -x -d 'Address of the admin listener (health, metrics, status); off loopback it needs --admin-token-file'
complete -c aibridge -n '__aibridge_flag "doctor" --admin-token-file=' -l admin-token-file -r -F -d 'File with the token that the admin listener requires'
complete -c aibridge -n '__aibridge_flag "doctor" --tls-cert=' -l tls-cert -r -F -d 'Certificate chain of the callers\' listener, PEM; needs --tls-key'
complete -c aibridge -n '__aibridge_flag "doctor" --tls-key=' -l tls-key -r -F -d 'Private key of --tls-cert, PEM, without a passphrase'
complete -c aibridge -n '__aibridge_flag "doctor" --tls-client-ca=' -l tls-client-ca -r -F -d 'Authorities (PEM) of client certificates, which name callers beside tokens; needs --tls-cert'
complete -c aibridge -n '__aibridge_flag "doctor" --trusted-proxies=' -l trusted-proxies -x -d 'Networks of proxies whose X-Forwarded-For header is trusted'
complete -c aibridge -n '__aibridge_flag "doctor" --allowed-hosts=' -l allowed-hosts -x -d 'Host names accepted on a loopback listener, besides loopback addresses and localhost'
complete -c aibridge -n '__aibridge_flag "doctor" --allowed-origins=' -l allowed-origins -x -d 'Origins of web pages that may use the bridge, besides its own; null is one of them'
complete -c aibridge -n '__aibridge_flag "doctor" --callers-file=' -l callers-file -r -F -d 'File with the callers that are known and their classes (TOML); others get 401'
complete -c aibridge -n '__aibridge_flag "doctor" --allow-anonymous --no-allow-anonymous' -l allow-anonymous -d 'Serve callers without a token beside known ones, and permit a central key on a listener off loopback'
complete -c aibridge -n '__aibridge_flag "doctor" --allow-anonymous --no-allow-anonymous' -l no-allow-anonymous -d 'The opposite of --allow-anonymous'
complete -c aibridge -n '__aibridge_flag "doctor" --max-concurrency=' -l max-concurrency -x -d 'Maximum requests in flight, per replica; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "doctor" --rate-limit=' -l rate-limit -x -d 'Maximum requests per second of one caller, per replica; 0 is off'
complete -c aibridge -n '__aibridge_flag "doctor" --max-concurrency-per-caller=' -l max-concurrency-per-caller -x -d 'Maximum requests in flight of one caller; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "doctor" --max-concurrency-per-provider=' -l max-concurrency-per-provider -x -d 'Maximum requests in flight to one provider; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "doctor" --queue-size=' -l queue-size -x -d 'Maximum requests that wait for a free slot or for their caller\'s rate limit; 0 is no queue'
complete -c aibridge -n '__aibridge_flag "doctor" --queue-timeout=' -l queue-timeout -x -d 'Maximum time a request waits in the queue'
complete -c aibridge -n '__aibridge_flag "doctor" --adaptive --no-adaptive' -l adaptive -d 'Learn how much each provider takes; hold requests instead of rejecting them, and send them again'
complete -c aibridge -n '__aibridge_flag "doctor" --adaptive --no-adaptive' -l no-adaptive -d 'The opposite of --adaptive'
complete -c aibridge -n '__aibridge_flag "doctor" --hold-keepalive=' -l hold-keepalive -x -d 'With --adaptive: interval of comments in the stream of a request that is held; 0s is none'
complete -c aibridge -n '__aibridge_flag "doctor" --shadow=' -l shadow -x -a '(__aibridge_list concurrency concurrency-per-caller concurrency-per-provider rate breaker credential adaptive)' -d 'Protections in shadow mode: count what they would reject, but admit it: concurrency, concurrency-per-caller, concurrency-per-provider, rate, breaker, credential, adaptive'
complete -c aibridge -n '__aibridge_flag "doctor" --max-body=' -l max-body -x -d 'Maximum size of a request body; a larger one gets 413'
complete -c aibridge -n '__aibridge_flag "doctor" --max-buffered=' -l max-buffered -x -d 'Memory for request bodies read before they are forwarded, half of it for one caller; beyond it 503'
complete -c aibridge -n '__aibridge_flag "doctor" --max-connections=' -l max-connections -x -d 'Maximum open connections of callers; 0 is half the file descriptors, at most 4096'
complete -c aibridge -n '__aibridge_flag "doctor" --max-connections-per-address=' -l max-connections-per-address -x -d 'Maximum open connections of one address; 0 is half of all off loopback, no limit for trusted proxies'
complete -c aibridge -n '__aibridge_flag "doctor" --keep-alive-timeout=' -l keep-alive-timeout -x -d 'How long a caller\'s idle connection stays open; set it longer than a load balancer in front does'
complete -c aibridge -n '__aibridge_flag "doctor" --store=' -l store -x -d 'Redis or Valkey that replicas share limits in: redis://, rediss://, unix://, redis+sentinel://, redis+cluster://'
complete -c aibridge -n '__aibridge_flag "doctor" --store-prefix=' -l store-prefix -x -d 'Beginning of all keys in the store; replicas with the same one share their limits'
complete -c aibridge -n '__aibridge_flag "doctor" --store-failure=' -l store-failure -x -a 'local closed' -d 'While the store is away: each replica has its part of each limit, or rejects requests'
complete -c aibridge -n '__aibridge_flag "doctor" --store-timeout=' -l store-timeout -x -d 'How long a request waits for the store at most, 1s at the longest'
complete -c aibridge -n '__aibridge_flag "doctor" --workers=' -l workers -x -d 'Processes that serve callers, at most 64; more than one have a supervisor, and their limits are common'
complete -c aibridge -n '__aibridge_flag "doctor" --circuit-breaker --no-circuit-breaker' -l circuit-breaker -d 'Enable a circuit breaker per provider'
complete -c aibridge -n '__aibridge_flag "doctor" --circuit-breaker --no-circuit-breaker' -l no-circuit-breaker -d 'The opposite of --circuit-breaker'
complete -c aibridge -n '__aibridge_flag "doctor" --circuit-breaker-failure-threshold=' -l circuit-breaker-failure-threshold -x -d 'Failures within the window that open the breaker'
complete -c aibridge -n '__aibridge_flag "doctor" --circuit-breaker-failure-share=' -l circuit-breaker-failure-share -x -d 'Share of the calls in the window that must have failed, too; 0 is off'
complete -c aibridge -n '__aibridge_flag "doctor" --circuit-breaker-window=' -l circuit-breaker-window -x -d 'How long a failure counts towards the threshold'
complete -c aibridge -n '__aibridge_flag "doctor" --circuit-breaker-cooldown=' -l circuit-breaker-cooldown -x -d 'How long the breaker stays open before it lets probes through'
complete -c aibridge -n '__aibridge_flag "doctor" --circuit-breaker-half-open-max-requests=' -l circuit-breaker-half-open-max-requests -x -d 'Maximum probes in flight while half-open, and successful probes needed to close'
complete -c aibridge -n '__aibridge_flag "doctor" --circuit-breaker-max-cooldown=' -l circuit-breaker-max-cooldown -x -d 'Maximum cooldown, whether the provider asked for it or several trips in a row lengthened it'
complete -c aibridge -n '__aibridge_flag "doctor" --circuit-breaker-429=' -l circuit-breaker-429 -x -a 'provider credential' -d 'What a 429 on a caller\'s own key counts against: the provider, or only that key'
complete -c aibridge -n '__aibridge_flag "doctor" --circuit-breaker-scope=' -l circuit-breaker-scope -x -a 'provider endpoint model' -d 'What has a breaker of its own: each provider, each endpoint, or each model'
complete -c aibridge -n '__aibridge_flag "doctor" --circuit-breaker-models=' -l circuit-breaker-models -x -d 'For scope model: model names, or prefixes that end in *; all other models share one breaker'
complete -c aibridge -n '__aibridge_flag "doctor" --circuit-breaker-slow-first-byte=' -l circuit-breaker-slow-first-byte -x -d 'A first byte that arrives later than this counts as a failure; 0s is off'
complete -c aibridge -n '__aibridge_flag "doctor" --circuit-breaker-ramp=' -l circuit-breaker-ramp -x -d 'Time from closing until all requests are admitted again; 0s is at once'
complete -c aibridge -n '__aibridge_flag "doctor" --openai-base-url=' -l openai-base-url -x -d 'Base URL of the OpenAI API'
complete -c aibridge -n '__aibridge_flag "doctor" --anthropic-base-url=' -l anthropic-base-url -x -d 'Base URL of the Anthropic API'
complete -c aibridge -n '__aibridge_flag "doctor" --copilot-base-url=' -l copilot-base-url -x -d 'Base URL of the Copilot API'
complete -c aibridge -n '__aibridge_flag "doctor" --openai-organization=' -l openai-organization -x -d 'OpenAI-Organization header sent with the central key for OpenAI'
complete -c aibridge -n '__aibridge_flag "doctor" --openai-project=' -l openai-project -x -d 'OpenAI-Project header sent with the central key for OpenAI'
complete -c aibridge -n '__aibridge_flag "doctor" --stored-references --no-stored-references' -l stored-references -d 'With a central key: accept bodies that name stored data, like previous_response_id; otherwise 403'
complete -c aibridge -n '__aibridge_flag "doctor" --stored-references --no-stored-references' -l no-stored-references -d 'The opposite of --stored-references'
complete -c aibridge -n '__aibridge_flag "doctor" --forward-caller-keys --no-forward-caller-keys' -l forward-caller-keys -d 'With a central key: forward the caller\'s own credential if the request has one'
complete -c aibridge -n '__aibridge_flag "doctor" --forward-caller-keys --no-forward-caller-keys' -l no-forward-caller-keys -d 'The opposite of --forward-caller-keys'
complete -c aibridge -n '__aibridge_flag "doctor" --upstream-proxy=' -l upstream-proxy -x -d 'Proxy for all providers; without it HTTPS_PROXY applies'
complete -c aibridge -n '__aibridge_flag "doctor" --upstream-ca=' -l upstream-ca -r -F -d 'CA certificates to trust for providers, besides the usual ones; PEM'
complete -c aibridge -n '__aibridge_flag "doctor" --connect-timeout=' -l connect-timeout -x -d 'Timeout for connecting to a provider, TCP and TLS together; 0s is off'
complete -c aibridge -n '__aibridge_flag "doctor" --first-byte-timeout=' -l first-byte-timeout -x -d 'Timeout for the provider\'s response head; 0s is off'
complete -c aibridge -n '__aibridge_flag "doctor" --max-duration=' -l max-duration -x -d 'Maximum duration of a request at its provider, response included; 0s is off'
complete -c aibridge -n '__aibridge_flag "doctor" --idle-timeout=' -l idle-timeout -x -d 'Timeout between two pieces of a response; 0s is off'
complete -c aibridge -n '__aibridge_flag "doctor" --drain-delay=' -l drain-delay -x -d 'After a stop signal: how long new requests are still served while /readyz returns 503'
complete -c aibridge -n '__aibridge_flag "doctor" --graceful-timeout=' -l graceful-timeout -x -d 'After the drain delay: how long requests in flight may take to finish; 0s is no limit'
complete -c aibridge -n '__aibridge_flag "doctor" --state-file=' -l state-file -r -F -d 'File for what survives a restart: budgets, breakers, learned limits; written every 30 s and at the end'
complete -c aibridge -n '__aibridge_flag "doctor" --log-level=' -l log-level -x -a 'debug info warning error' -d 'Lowest level that is logged; logs go to stderr'
complete -c aibridge -n '__aibridge_flag "doctor" --log-file=' -l log-file -r -F -d 'File for the log in place of stderr; a reload (SIGHUP) opens it again'
complete -c aibridge -n '__aibridge_flag "doctor" --log-format=' -l log-format -x -a 'auto human json' -d 'Format of log lines; auto is human on a terminal, otherwise json'
complete -c aibridge -n '__aibridge_flag "doctor" --otel-endpoint=' -l otel-endpoint -x -d 'Base URL of a collector of OpenTelemetry\'s traces (OTLP over HTTP); needs the extra otel'
complete -c aibridge -n '__aibridge_flag "doctor" --otel-service-name=' -l otel-service-name -x -d 'Name of this service in traces'
complete -c aibridge -n '__aibridge_flag "doctor" --otel-sample=' -l otel-sample -x -d 'Share of the traces that begin here; callers\' own traces say whether they are sampled'
complete -c aibridge -n '__aibridge_flag "doctor" --timeout=' -l timeout -x -d 'How long each call to a provider may take, from the name\'s look-up to the answer\'s head'
complete -c aibridge -n '__aibridge_flag "doctor" --json' -l json -d 'Print one JSON document with all findings'
complete -c aibridge -n '__aibridge_flag "doctor" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "doctor" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "doctor" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_argument "breaker" 1 --url --for --reason' -a open
complete -c aibridge -n '__aibridge_argument "breaker" 1 --url --for --reason' -a close
complete -c aibridge -n '__aibridge_argument "breaker" 1 --url --for --reason' -a auto
complete -c aibridge -n '__aibridge_argument "breaker" 2 --url --for --reason' -a openai
complete -c aibridge -n '__aibridge_argument "breaker" 2 --url --for --reason' -a anthropic
complete -c aibridge -n '__aibridge_argument "breaker" 2 --url --for --reason' -a copilot
complete -c aibridge -n '__aibridge_flag "breaker"' -l url -x -d 'URL of the bridge\'s admin listener; of several replicas each, or a name with their addresses'
complete -c aibridge -n '__aibridge_flag "breaker" --for=' -l for -x -d 'How long the override lasts, at most 720h; without it until it is changed'
complete -c aibridge -n '__aibridge_flag "breaker" --reason=' -l reason -x -d 'Why, in one line of at most 200 characters, for the log and the dashboard'
complete -c aibridge -n '__aibridge_flag "breaker" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "breaker" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "breaker" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_flag "explain"' -l url -x -d 'URL of the bridge\'s admin listener; of several replicas each, or a name with their addresses'
complete -c aibridge -n '__aibridge_flag "explain" --json' -l json -d 'Print each request as a JSON document on a line'
complete -c aibridge -n '__aibridge_flag "explain" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "explain" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "explain" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_argument "token" 1 --config --callers-file --class --expires --hash' -a new
complete -c aibridge -n '__aibridge_argument "token" 1 --config --callers-file --class --expires --hash' -a list
complete -c aibridge -n '__aibridge_argument "token" 1 --config --callers-file --class --expires --hash' -a revoke
complete -c aibridge -n '__aibridge_flag "token" --config=' -l config -r -F -d 'Configuration file (TOML); its keys are the flags\' names with _ for -'
complete -c aibridge -n '__aibridge_flag "token" --callers-file=' -l callers-file -r -F -d 'File with the callers that are known and their classes (TOML); others get 401'
complete -c aibridge -n '__aibridge_flag "token" --class=' -l class -x -d 'new: the caller\'s class'
complete -c aibridge -n '__aibridge_flag "token" --expires=' -l expires -x -d 'new: the last day on which the caller is known, UTC'
complete -c aibridge -n '__aibridge_flag "token" --add' -l add -d 'new: give a caller that is in the file another token, beside those that it has'
complete -c aibridge -n '__aibridge_flag "token" --hash=' -l hash -x -d 'revoke: only the token whose hash begins so, as list shows it'
complete -c aibridge -n '__aibridge_flag "token" --json' -l json -d 'list: print JSON'
complete -c aibridge -n '__aibridge_flag "token" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "token" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "token" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_flag "reload"' -l url -x -d 'URL of the bridge\'s admin listener; of several replicas each, or a name with their addresses'
complete -c aibridge -n '__aibridge_flag "reload" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "reload" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "reload" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_flag "init" --output=' -l output -r -F -d 'File to write'
complete -c aibridge -n '__aibridge_flag "init" --force' -l force -d 'Replace the file if it exists'
complete -c aibridge -n '__aibridge_flag "init"' -l bind -x -d 'Address for callers'
complete -c aibridge -n '__aibridge_flag "init" --openai-key-file=' -l openai-key-file -r -F -d 'File that holds the central key for OpenAI'
complete -c aibridge -n '__aibridge_flag "init" --anthropic-key-file=' -l anthropic-key-file -r -F -d 'File that holds the central key for Anthropic'
complete -c aibridge -n '__aibridge_flag "init"' -l provider -x -d 'Another provider with OpenAI\'s API: its name and its base URL'
complete -c aibridge -n '__aibridge_flag "init"' -l provider-key-file -x -d 'File that holds the central key for such a provider'
complete -c aibridge -n '__aibridge_flag "init" --callers-file=' -l callers-file -r -F -d 'File with the callers that are known; it is written, too, if it does not exist'
complete -c aibridge -n '__aibridge_flag "init" --adaptive' -l adaptive -d 'Learn how much each provider takes; hold requests instead of rejecting them'
complete -c aibridge -n '__aibridge_flag "init" --max-concurrency=' -l max-concurrency -x -d 'Maximum requests in flight; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "init" --rate-limit=' -l rate-limit -x -d 'Maximum requests per second of one caller; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "init" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "init" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "init" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_flag "mock" --bind=' -l bind -x -d 'Address to listen on'
complete -c aibridge -n '__aibridge_flag "mock"' -l fail -x -d 'Probability of answering with this error status; can be given again'
complete -c aibridge -n '__aibridge_flag "mock" --latency=' -l latency -x -d 'Delay before the response head'
complete -c aibridge -n '__aibridge_flag "mock" --tokens-per-second=' -l tokens-per-second -x -d 'Tokens per second of an answer, streamed or whole; 0 is as fast as possible'
complete -c aibridge -n '__aibridge_flag "mock" --tokens=' -l tokens -x -d 'Tokens per answer'
complete -c aibridge -n '__aibridge_flag "mock" --seed=' -l seed -x -d 'Seed of the random failures, to make them repeatable'
complete -c aibridge -n '__aibridge_flag "mock" --slots=' -l slots -x -d 'How many requests are answered at once; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "mock" --when-full=' -l when-full -x -a '429 503 529 queue' -d 'Answer without a free slot: this error status, or wait for one; by default 529 for Anthropic\'s API, 503 for the others'
complete -c aibridge -n '__aibridge_flag "mock" --requests-per-minute=' -l requests-per-minute -x -d 'Quota of requests per minute and credential; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "mock" --tokens-per-minute=' -l tokens-per-minute -x -d 'Quota of tokens, in and out, per minute and credential; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "mock" --quota-burst=' -l quota-burst -x -d 'How much of a quota can be used at once: what is refilled in this time'
complete -c aibridge -n '__aibridge_flag "mock" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "mock" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "mock" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_flag "demo" --seconds=' -l seconds -x -d 'How long requests come; the demo ends when the last of them has ended'
complete -c aibridge -n '__aibridge_flag "demo" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "demo" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "demo" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 1 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 2 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 3 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 4 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 5 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 6 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 7 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 8 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 9 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 10 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 11 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 12 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 13 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 14 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 15 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 16 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 17 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 18 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 19 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 20 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a day
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a outage
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a brownout
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a quota
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flash-crowd
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a greedy-caller
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a slow
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a flapping
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a herd
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a long-streams
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a wandering
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a request-quota
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a token-quota
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a two-providers
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a deploy
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a night-and-day
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a thousand
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a no-retries
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a relentless
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a load-independent
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -a replicas
complete -c aibridge -n '__aibridge_argument "simulate" 21 --policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg' -F
complete -c aibridge -n '__aibridge_flag "simulate"' -l policy -x -d 'Which proxy the requests go through; several are compared side by side'
complete -c aibridge -n '__aibridge_flag "simulate"' -l setting -x -a 'max_concurrency= rate_limit= circuit_breaker=true circuit_breaker=false circuit_breaker_failure_threshold= circuit_breaker_failure_share= circuit_breaker_window= circuit_breaker_cooldown= circuit_breaker_half_open_max_requests= first_byte_timeout= queue_size= queue_timeout= max_concurrency_per_caller= max_concurrency_per_provider= circuit_breaker_max_cooldown= circuit_breaker_growth= circuit_breaker_stretch= circuit_breaker_ramp= circuit_breaker_429=provider circuit_breaker_429=credential circuit_breaker_slow_first_byte= line_size= token_limit=' -d 'Setting of the bridge, in place of the scenario\'s; can be given again'
complete -c aibridge -n '__aibridge_flag "simulate"' -l compare -x -a 'max_concurrency= rate_limit= circuit_breaker=true circuit_breaker=false circuit_breaker_failure_threshold= circuit_breaker_failure_share= circuit_breaker_window= circuit_breaker_cooldown= circuit_breaker_half_open_max_requests= first_byte_timeout= queue_size= queue_timeout= max_concurrency_per_caller= max_concurrency_per_provider= circuit_breaker_max_cooldown= circuit_breaker_growth= circuit_breaker_stretch= circuit_breaker_ramp= circuit_breaker_429=provider circuit_breaker_429=credential circuit_breaker_slow_first_byte= line_size= token_limit=' -d 'Simulate the bridge with this setting too, side by side; can be given again'
complete -c aibridge -n '__aibridge_flag "simulate" --suggest' -l suggest -d 'Search a small grid of settings and print the best'
complete -c aibridge -n '__aibridge_flag "simulate" --seed=' -l seed -x -d 'Seed of the random numbers: the same seed gives the same result'
complete -c aibridge -n '__aibridge_flag "simulate"' -l replicas -x -d 'Simulate so many replicas, and show what they promise together; can be given again'
complete -c aibridge -n '__aibridge_flag "simulate" --store-round-trip=' -l store-round-trip -x -d 'Mean time from a replica to the store and back'
complete -c aibridge -n '__aibridge_flag "simulate" --store-loss=' -l store-loss -x -d 'Share of what replicas send to the store that is lost, on the way or on the way back'
complete -c aibridge -n '__aibridge_flag "simulate" --partition=' -l partition -x -d 'Share of the replicas that do not reach the store in the middle third of the time'
complete -c aibridge -n '__aibridge_flag "simulate" --callers=' -l callers -x -d 'Number of callers, in place of the scenario\'s'
complete -c aibridge -n '__aibridge_flag "simulate" --requests-per-caller=' -l requests-per-caller -x -d 'Requests that each caller makes per minute'
complete -c aibridge -n '__aibridge_flag "simulate" --requests-per-minute=' -l requests-per-minute -x -d 'The provider\'s quota of requests per minute and key; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "simulate" --tokens-per-minute=' -l tokens-per-minute -x -d 'The provider\'s quota of tokens per minute and key; 0 is unlimited'
complete -c aibridge -n '__aibridge_flag "simulate" --duration=' -l duration -x -d 'Simulated time'
complete -c aibridge -n '__aibridge_flag "simulate" --json' -l json -d 'Print one JSON document with the curves instead of tables'
complete -c aibridge -n '__aibridge_flag "simulate" --svg=' -l svg -r -F -d 'Draw the curves into this SVG file'
complete -c aibridge -n '__aibridge_flag "simulate" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "simulate" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "simulate" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_argument "completion" 1' -a bash
complete -c aibridge -n '__aibridge_argument "completion" 1' -a zsh
complete -c aibridge -n '__aibridge_argument "completion" 1' -a fish
complete -c aibridge -n '__aibridge_flag "completion" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "completion" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "completion" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_argument "schema" 1' -a aibridge.toml
complete -c aibridge -n '__aibridge_argument "schema" 1' -a callers.toml
complete -c aibridge -n '__aibridge_flag "schema" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "schema" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "schema" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_argument "man" 1' -a aibridge
complete -c aibridge -n '__aibridge_argument "man" 1' -a serve
complete -c aibridge -n '__aibridge_argument "man" 1' -a top
complete -c aibridge -n '__aibridge_argument "man" 1' -a check
complete -c aibridge -n '__aibridge_argument "man" 1' -a doctor
complete -c aibridge -n '__aibridge_argument "man" 1' -a breaker
complete -c aibridge -n '__aibridge_argument "man" 1' -a explain
complete -c aibridge -n '__aibridge_argument "man" 1' -a token
complete -c aibridge -n '__aibridge_argument "man" 1' -a reload
complete -c aibridge -n '__aibridge_argument "man" 1' -a init
complete -c aibridge -n '__aibridge_argument "man" 1' -a mock
complete -c aibridge -n '__aibridge_argument "man" 1' -a demo
complete -c aibridge -n '__aibridge_argument "man" 1' -a simulate
complete -c aibridge -n '__aibridge_argument "man" 1' -a completion
complete -c aibridge -n '__aibridge_argument "man" 1' -a schema
complete -c aibridge -n '__aibridge_argument "man" 1' -a man
complete -c aibridge -n '__aibridge_argument "man" 1' -a aibridge.toml
complete -c aibridge -n '__aibridge_flag "man" --help -h' -l help -d 'Show help'
complete -c aibridge -n '__aibridge_flag "man" --help -h' -s h -d 'Show help'
complete -c aibridge -n '__aibridge_flag "man" --version' -l version -d 'Show the version'
complete -c aibridge -n '__aibridge_argument "help" 1' -a serve
complete -c aibridge -n '__aibridge_argument "help" 1' -a top
complete -c aibridge -n '__aibridge_argument "help" 1' -a check
complete -c aibridge -n '__aibridge_argument "help" 1' -a doctor
complete -c aibridge -n '__aibridge_argument "help" 1' -a breaker
complete -c aibridge -n '__aibridge_argument "help" 1' -a explain
complete -c aibridge -n '__aibridge_argument "help" 1' -a token
complete -c aibridge -n '__aibridge_argument "help" 1' -a reload
complete -c aibridge -n '__aibridge_argument "help" 1' -a init
complete -c aibridge -n '__aibridge_argument "help" 1' -a mock
complete -c aibridge -n '__aibridge_argument "help" 1' -a demo
complete -c aibridge -n '__aibridge_argument "help" 1' -a simulate
complete -c aibridge -n '__aibridge_argument "help" 1' -a completion
complete -c aibridge -n '__aibridge_argument "help" 1' -a schema
complete -c aibridge -n '__aibridge_argument "help" 1' -a man
