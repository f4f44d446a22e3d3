# Completion of aibridge for bash. It goes here:
#   aibridge completion bash > ~/.local/share/bash-completion/completions/aibridge
#   eval "$(aibridge completion bash)"  # or this in ~/.bashrc, without the package bash-completion
# Generated from the program's commands and options: python -m tools.reference

_aibridge() {
  local IFS=$' \t\n' rest=${COMP_LINE:0:COMP_POINT} command='' cur='' word='' name='' head=''
  local flags='' valued='' repeatable='' fits='' listed='' files='' before='' flag='' given='' ended='' place=1 i
  local -a words=()
  COMPREPLY=()

  # Bash splits words at = and : as well, and gives the word at hand with what is behind the cursor.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    [[ $i -eq 0 || $rest == [[:space:]]* ]] && words+=('')
    rest=${rest#"${rest%%[![:space:]]*}"}
    [[ $i -eq COMP_CWORD ]] && word=$rest
    words[${#words[@]}-1]+=$word
    rest=${rest#"$word"}
  done
  cur=${words[${#words[@]}-1]}
  [[ ${#words[@]} -gt 2 ]] && command=${words[1]}

  case $command in
    '')
      flags='--help|-h --version'
      ;;
    serve)
      flags='--config --bind --bind-mode --admin-bind --admin-token-file --tls-cert --tls-key --tls-client-ca --trusted-proxies --allowed-hosts --allowed-origins --callers-file --allow-anonymous|--no-allow-anonymous --max-concurrency --rate-limit --max-concurrency-per-caller --max-concurrency-per-provider --queue-size --queue-timeout --adaptive|--no-adaptive --hold-keepalive --shadow --max-body --max-buffered --max-connections --max-connections-per-address --keep-alive-timeout --store --store-prefix --store-failure --store-timeout --workers --circuit-breaker|--no-circuit-breaker --circuit-breaker-failure-threshold --circuit-breaker-failure-share --circuit-breaker-window --circuit-breaker-cooldown --circuit-breaker-half-open-max-requests --circuit-breaker-max-cooldown --circuit-breaker-429 --circuit-breaker-scope --circuit-breaker-models --circuit-breaker-slow-first-byte --circuit-breaker-ramp --openai-base-url --anthropic-base-url --copilot-base-url --openai-organization --openai-project --stored-references|--no-stored-references --forward-caller-keys|--no-forward-caller-keys --upstream-proxy --upstream-ca --connect-timeout --first-byte-timeout --max-duration --idle-timeout --drain-delay --graceful-timeout --state-file --log-level --log-file --log-format --otel-endpoint --otel-service-name --otel-sample --help|-h --version'
      valued='--config --bind --bind-mode --admin-bind --admin-token-file --tls-cert --tls-key --tls-client-ca --trusted-proxies --allowed-hosts --allowed-origins --callers-file --max-concurrency --rate-limit --max-concurrency-per-caller --max-concurrency-per-provider --queue-size --queue-timeout --hold-keepalive --shadow --max-body --max-buffered --max-connections --max-connections-per-address --keep-alive-timeout --store --store-prefix --store-failure --store-timeout --workers --circuit-breaker-failure-threshold --circuit-breaker-failure-share --circuit-breaker-window --circuit-breaker-cooldown --circuit-breaker-half-open-max-requests --circuit-breaker-max-cooldown --circuit-breaker-429 --circuit-breaker-scope --circuit-breaker-models --circuit-breaker-slow-first-byte --circuit-breaker-ramp --openai-base-url --anthropic-base-url --copilot-base-url --openai-organization --openai-project --upstream-proxy --upstream-ca --connect-timeout --first-byte-timeout --max-duration --idle-timeout --drain-delay --graceful-timeout --state-file --log-level --log-file --log-format --otel-endpoint --otel-service-name --otel-sample'
      repeatable='--bind'
      ;;
    top)
      flags='--url --once --json --interval --help|-h --version'
      valued='--url --interval'
      repeatable='--url'
      ;;
    check)
      flags='--config --bind --bind-mode --admin-bind --admin-token-file --tls-cert --tls-key --tls-client-ca --trusted-proxies --allowed-hosts --allowed-origins --callers-file --allow-anonymous|--no-allow-anonymous --max-concurrency --rate-limit --max-concurrency-per-caller --max-concurrency-per-provider --queue-size --queue-timeout --adaptive|--no-adaptive --hold-keepalive --shadow --max-body --max-buffered --max-connections --max-connections-per-address --keep-alive-timeout --store --store-prefix --store-failure --store-timeout --workers --circuit-breaker|--no-circuit-breaker --circuit-breaker-failure-threshold --circuit-breaker-failure-share --circuit-breaker-window --circuit-breaker-cooldown --circuit-breaker-half-open-max-requests --circuit-breaker-max-cooldown --circuit-breaker-429 --circuit-breaker-scope --circuit-breaker-models --circuit-breaker-slow-first-byte --circuit-breaker-ramp --openai-base-url --anthropic-base-url --copilot-base-url --openai-organization --openai-project --stored-references|--no-stored-references --forward-caller-keys|--no-forward-caller-keys --upstream-proxy --upstream-ca --connect-timeout --first-byte-timeout --max-duration --idle-timeout --drain-delay --graceful-timeout --state-file --log-level --log-file --log-format --otel-endpoint --otel-service-name --otel-sample --diff --json --help|-h --version'
      valued='--config --bind --bind-mode --admin-bind --admin-token-file --tls-cert --tls-key --tls-client-ca --trusted-proxies --allowed-hosts --allowed-origins --callers-file --max-concurrency --rate-limit --max-concurrency-per-caller --max-concurrency-per-provider --queue-size --queue-timeout --hold-keepalive --shadow --max-body --max-buffered --max-connections --max-connections-per-address --keep-alive-timeout --store --store-prefix --store-failure --store-timeout --workers --circuit-breaker-failure-threshold --circuit-breaker-failure-share --circuit-breaker-window --circuit-breaker-cooldown --circuit-breaker-half-open-max-requests --circuit-breaker-max-cooldown --circuit-breaker-429 --circuit-breaker-scope --circuit-breaker-models --circuit-breaker-slow-first-byte --circuit-breaker-ramp --openai-base-url --anthropic-base-url --copilot-base-url --openai-organization --openai-project --upstream-proxy --upstream-ca --connect-timeout --first-byte-timeout --max-duration --idle-timeout --drain-delay --graceful-timeout --state-file --log-level --log-file --log-format --otel-endpoint --otel-service-name --otel-sample'
      repeatable='--bind'
      ;;
    doctor)
      flags='--config --bind --bind-mode --admin-bind --admin-token-file --tls-cert --tls-key --tls-client-ca --trusted-proxies --allowed-hosts --allowed-origins --callers-file --allow-anonymous|--no-allow-anonymous --max-concurrency --rate-limit --max-concurrency-per-caller --max-concurrency-per-provider --queue-size --queue-timeout --adaptive|--no-adaptive --hold-keepalive --shadow --max-body --max-buffered --max-connections --max-connections-per-address --keep-alive-timeout --store --store-prefix --store-failure --store-timeout --workers --circuit-breaker|--no-circuit-breaker --circuit-breaker-failure-threshold --circuit-breaker-failure-share --circuit-breaker-window --circuit-breaker-cooldown --circuit-breaker-half-open-max-requests --circuit-breaker-max-cooldown --circuit-breaker-429 --circuit-breaker-scope --circuit-breaker-models --circuit-breaker-slow-first-byte --circuit-breaker-ramp --openai-base-url --anthropic-base-url --copilot-base-url --openai-organization --openai-project --stored-references|--no-stored-references --forward-caller-keys|--no-forward-caller-keys --upstream-proxy --upstream-ca --connect-timeout --first-byte-timeout --max-duration --idle-timeout --drain-delay --graceful-timeout --state-file --log-level --log-file --log-format --otel-endpoint --otel-service-name --otel-sample --timeout --json --help|-h --version'
      valued='--config --bind --bind-mode --admin-bind --admin-token-file --tls-cert --tls-key --tls-client-ca --trusted-proxies --allowed-hosts --allowed-origins --callers-file --max-concurrency --rate-limit --max-concurrency-per-caller --max-concurrency-per-provider --queue-size --queue-timeout --hold-keepalive --shadow --max-body --max-buffered --max-connections --max-connections-per-address --keep-alive-timeout --store --store-prefix --store-failure --store-timeout --workers --circuit-breaker-failure-threshold --circuit-breaker-failure-share --circuit-breaker-window --circuit-breaker-cooldown --circuit-breaker-half-open-max-requests --circuit-breaker-max-cooldown --circuit-breaker-429 --circuit-breaker-scope --circuit-breaker-models --circuit-breaker-slow-first-byte --circuit-breaker-ramp --openai-base-url --anthropic-base-url --copilot-base-url --openai-organization --openai-project --upstream-proxy --upstream-ca --connect-timeout --first-byte-timeout --max-duration --idle-timeout --drain-delay --graceful-timeout --state-file --log-level --log-file --log-format --otel-endpoint --otel-service-name --otel-sample --timeout'
      repeatable='--bind'
      ;;
    breaker)
      flags='--url --for --reason --help|-h --version'
      valued='--url --for --reason'
      repeatable='--url'
      ;;
    explain)
      flags='--url --json --help|-h --version'
      valued='--url'
      repeatable='--url'
      ;;
    token)
      flags='--config --callers-file --class --expires --add --hash --json --help|-h --version'
      valued='--config --callers-file --class --expires --hash'
      ;;
    reload)
      flags='--url --help|-h --version'
      valued='--url'
      repeatable='--url'
      ;;
    init)
      flags='--output --force --bind --openai-key-file --anthropic-key-file --provider --provider-key-file --callers-file --adaptive --max-concurrency --rate-limit --help|-h --version'
      valued='--output --bind --openai-key-file --anthropic-key-file --provider --provider-key-file --callers-file --max-concurrency --rate-limit'
      repeatable='--bind --provider --provider-key-file'
      ;;
    mock)
      flags='--bind --fail --latency --tokens-per-second --tokens --seed --slots --when-full --requests-per-minute --tokens-per-minute --quota-burst --help|-h --version'
      valued='--bind --fail --latency --tokens-per-second --tokens --seed --slots --when-full --requests-per-minute --tokens-per-minute --quota-burst'
      repeatable='--fail'
      ;;
    demo)
      flags='--seconds --help|-h --version'
      valued='--seconds'
      ;;
    simulate)
      flags='--policy --setting --compare --suggest --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --json --svg --help|-h --version'
      valued='--policy --setting --compare --seed --replicas --store-round-trip --store-loss --partition --callers --requests-per-caller --requests-per-minute --tokens-per-minute --duration --svg'
      repeatable='--policy --setting --compare --replicas'
      ;;
    completion)
      flags='--help|-h --version'
      ;;
    schema)
      flags='--help|-h --version'
      ;;
    man)
      flags='--help|-h --version'
      ;;
    help)
      ;;
  esac
  for ((i = 2; i < ${#words[@]} - 1; i++)); do
    word=${words[i]} name=${words[i]%%=*}
    if [[ -n $flag ]]; then
      flag=''
    elif [[ -n $ended || $word != -* ]]; then
      place=$((place + 1))
    elif [[ $word == -- ]]; then
      ended=yes
    else
      [[ " $repeatable " == *" $name "* ]] || given+=" $name"
      [[ $word == *=* || " $valued " != *" $name "* ]] || flag=$name
    fi
  done
  if [[ -z $flag && -z $ended && $cur == --*=* ]]; then
    flag=${cur%%=*} cur=${cur#*=}
    [[ $COMP_WORDBREAKS == *=* ]] || head=$flag=
  fi

  if [[ -n $flag || -n $ended || $cur != -* ]]; then
    case "$command ${flag:-$place}" in
      ' 1') fits='serve top check doctor breaker explain token reload init mock demo simulate completion schema man help' ;;
      'serve --config') compopt -o default 2>/dev/null ;;
      'serve --admin-token-file') compopt -o default 2>/dev/null ;;
      'serve --tls-cert') compopt -o default 2>/dev/null ;;
      'serve --tls-key') compopt -o default 2>/dev/null ;;
      'serve --tls-client-ca') compopt -o default 2>/dev/null ;;
      'serve --callers-file') compopt -o default 2>/dev/null ;;
      'serve --shadow') fits='concurrency concurrency-per-caller concurrency-per-provider rate breaker credential adaptive' listed=yes ;;
      'serve --store-failure') fits='local closed' ;;
      'serve --circuit-breaker-429') fits='provider credential' ;;
      'serve --circuit-breaker-scope') fits='provider endpoint model' ;;
      'serve --upstream-ca') compopt -o default 2>/dev/null ;;
      'serve --state-file') compopt -o default 2>/dev/null ;;
      'serve --log-level') fits='debug info warning error' ;;
      'serve --log-file') compopt -o default 2>/dev/null ;;
      'serve --log-format') fits='auto human json' ;;
      'check --config') compopt -o default 2>/dev/null ;;
      'check --admin-token-file') compopt -o default 2>/dev/null ;;
      'check --tls-cert') compopt -o default 2>/dev/null ;;
      'check --tls-key') compopt -o default 2>/dev/null ;;
      'check --tls-client-ca') compopt -o default 2>/dev/null ;;
      'check --callers-file') compopt -o default 2>/dev/null ;;
      'check --shadow') fits='concurrency concurrency-per-caller concurrency-per-provider rate breaker credential adaptive' listed=yes ;;
      'check --store-failure') fits='local closed' ;;
      'check --circuit-breaker-429') fits='provider credential' ;;
      'check --circuit-breaker-scope') fits='provider endpoint model' ;;
      'check --upstream-ca') compopt -o default 2>/dev/null ;;
      'check --state-file') compopt -o default 2>/dev/null ;;
      'check --log-level') fits='debug info warning error' ;;
      'check --log-file') compopt -o default 2>/dev/null ;;
      'check --log-format') fits='auto human json' ;;
      'doctor --config') compopt -o default 2>/dev/null ;;
      'doctor --admin-token-file') compopt -o default 2>/dev/null ;;
      'doctor --tls-cert') compopt -o default 2>/dev/null ;;
      'doctor --tls-key') compopt -o default 2>/dev/null ;;
      'doctor --tls-client-ca') compopt -o default 2>/dev/null ;;
      'doctor --callers-file') compopt -o default 2>/dev/null ;;
      'doctor --shadow') fits='concurrency concurrency-per-caller concurrency-per-provider rate breaker credential adaptive' listed=yes ;;
      'doctor --store-failure') fits='local closed' ;;
      'doctor --circuit-breaker-429') fits='provider credential' ;;
      'doctor --circuit-breaker-scope') fits='provider endpoint model' ;;
      'doctor --upstream-ca') compopt -o default 2>/dev/null ;;
      'doctor --state-file') compopt -o default 2>/dev/null ;;
      'doctor --log-level') fits='debug info warning error' ;;
      'doctor --log-file') compopt -o default 2>/dev/null ;;
      'doctor --log-format') fits='auto human json' ;;
      'breaker 1') fits='open close auto' ;;
      'breaker 2') fits='openai anthropic copilot' ;;
      'token --config') compopt -o default 2>/dev/null ;;
      'token --callers-file') compopt -o default 2>/dev/null ;;
      'token 1') fits='new list revoke' ;;
      'init --output') compopt -o default 2>/dev/null ;;
      'init --openai-key-file') compopt -o default 2>/dev/null ;;
      'init --anthropic-key-file') compopt -o default 2>/dev/null ;;
      'init --callers-file') compopt -o default 2>/dev/null ;;
      'mock --when-full') fits='429 503 529 queue' ;;
      'simulate --setting') fits='max_concurrency= rate_limit= circuit_breaker=true circuit_breaker=false circuit_breaker_failure_threshold= circuit_breaker_failure_share= circuit_breaker_window= circuit_breaker_cooldown= circuit_breaker_half_open_max_requests= first_byte_timeout= queue_size= queue_timeout= max_concurrency_per_caller= max_concurrency_per_provider= circuit_breaker_max_cooldown= circuit_breaker_growth= circuit_breaker_stretch= circuit_breaker_ramp= circuit_breaker_429=provider circuit_breaker_429=credential circuit_breaker_slow_first_byte= line_size= token_limit=' ;;
      'simulate --compare') fits='max_concurrency= rate_limit= circuit_breaker=true circuit_breaker=false circuit_breaker_failure_threshold= circuit_breaker_failure_share= circuit_breaker_window= circuit_breaker_cooldown= circuit_breaker_half_open_max_requests= first_byte_timeout= queue_size= queue_timeout= max_concurrency_per_caller= max_concurrency_per_provider= circuit_breaker_max_cooldown= circuit_breaker_growth= circuit_breaker_stretch= circuit_breaker_ramp= circuit_breaker_429=provider circuit_breaker_429=credential circuit_breaker_slow_first_byte= line_size= token_limit=' ;;
      'simulate --svg') compopt -o default 2>/dev/null ;;
      'simulate 1') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 2') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 3') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 4') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 5') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 6') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 7') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 8') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 9') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 10') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 11') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 12') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 13') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 14') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 15') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 16') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 17') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 18') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 19') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 20') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'simulate 21') fits='day outage brownout quota flash-crowd greedy-caller slow flapping herd long-streams wandering request-quota token-quota two-providers deploy night-and-day thousand no-retries relentless load-independent replicas' files=yes ;;
      'completion 1') fits='bash zsh fish' ;;
      'schema 1') fits='aibridge.toml callers.toml' ;;
      'man 1') fits='aibridge serve top check doctor breaker explain token reload init mock demo simulate completion schema man aibridge.toml' ;;
      'help 1') fits='serve top check doctor breaker explain token reload init mock demo simulate completion schema man' ;;
    esac
  fi
  if [[ -z $flag && -z $ended && -z $fits && ( -z $cur || $cur == -* ) ]]; then
    for word in $flags; do
      for name in ${word//|/ }; do
        [[ " $given " == *" $name "* ]] && continue 2
      done
      fits+=" ${word//|/ }"
    done
  fi
  # Of a list the last item is completed, with one that is not there yet.
  if [[ -n $listed && $cur == *,* ]]; then
    before=${cur%,*},
    cur=${cur##*,}
  fi
  for word in $fits; do
    [[ -n $before && ,$before == *",$word,"* ]] && continue
    [[ $word == "${cur#[\"\']}"* ]] && COMPREPLY+=("$head$before$word")
  done
  if [[ $cur == *=* && $COMP_WORDBREAKS == *=* && ${#COMPREPLY[@]} -gt 0 ]]; then
    COMPREPLY=("${COMPREPLY[@]#"${cur%%=*}="}")
  fi
  # What goes on behind its sign is not complete.
  [[ " ${COMPREPLY[*]-} " == *"= "* ]] && compopt -o nospace 2>/dev/null
  if [[ -n $files ]]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r word; do
      COMPREPLY+=("$word")
    done < <(compgen -f -- "${cur#[\"\']}")
  fi
  return 0
}

complete -F _aibridge aibridge
