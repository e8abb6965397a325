//! What is said about each kind of mistake in costs, keys, budgets, trips, and what the node keeps to.

use super::assert_found;

#[test]
fn mistakes_about_the_terms_of_tools() {
    assert_found(&[
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", cost = { usd = "args.amount +" } }, find = "read", void = "delete" }"#,
            r#"error: `args.amount +` cannot be read as a cost
  ╭─[placet.toml:3:52]
3 │ tools = { pay = { level = "write", cost = { usd = "args.amount +" } }, find = "read", void = "delete" }
  ·                                                    ──────┬──────  help: a path such as `args.amount` is expected at its end
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", cost = { usd = 5 } }, find = "read", void = "delete" }"#,
            r#"error: `usd` must be a text, not a whole number
  ╭─[placet.toml:3:51]
3 │ tools = { pay = { level = "write", cost = { usd = 5 } }, find = "read", void = "delete" }
  ·                                                   ┬  help: write it in quotes
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", cost = { USD = "1" } }, find = "read", void = "delete" }"#,
            r#"error: the name `USD` cannot be used
  ╭─[placet.toml:3:45]
3 │ tools = { pay = { level = "write", cost = { USD = "1" } }, find = "read", void = "delete" }
  ·                                             ─┬─  help: a unit is 1 to 16 of a-z, 0-9 and `_`, beginning with a letter
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", cost = { calls = "1" } }, find = "read", void = "delete" }"#,
            r#"error: `calls` is no unit of a cost: it is counted by itself
  ╭─[placet.toml:3:45]
3 │ tools = { pay = { level = "write", cost = { calls = "1" } }, find = "read", void = "delete" }
  ·                                             ──┬──  help: a budget says `calls = 50`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", cost = "args.amount" }, find = "read", void = "delete" }"#,
            r#"error: `cost` must be a table, not a text
  ╭─[placet.toml:3:44]
3 │ tools = { pay = { level = "write", cost = "args.amount" }, find = "read", void = "delete" }
  ·                                            ─────┬─────
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", cost = { usd = "result.charged" } }, find = "read", void = "delete" }"#,
            r#"error: `result.charged` cannot be read as a cost
  ╭─[placet.toml:3:52]
3 │ tools = { pay = { level = "write", cost = { usd = "result.charged" } }, find = "read", void = "delete" }
  ·                                                    ──────┬───────  help: `result.charged` is not there before the call: a cost reads `args`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", cost = { usd = "1" }, actual = { usd = "result.charged" } }, find = "read", void = "delete" }"#,
            r#"error: server `erp` is not trusted to say what a call did cost
  ╭─[placet.toml:3:58]
3 │ tools = { pay = { level = "write", cost = { usd = "1" }, actual = { usd = "result.charged" } }, find = "read", void = "delete" }
  ·                                                          ──┬───  help: write `trusted = true` in `[servers.erp]` if its results are believed
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
trusted = true
tools = { pay = { level = "write", cost = { usd = "1" }, actual = { tokens = "result.charged" } }, find = "read", void = "delete" }"#,
            r#"error: there is no `cost` in `tokens`
  ╭─[placet.toml:4:69]
4 │ tools = { pay = { level = "write", cost = { usd = "1" }, actual = { tokens = "result.charged" } }, find = "read", void = "delete" }
  ·                                                                     ──┬───  help: say first what a call costs at most: that is what is set aside for it
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
trusted = true
tools = { pay = { level = "write", cost = { usd = "1" }, actual = { usd = "args.charged" } }, find = "read", void = "delete" }"#,
            r#"error: the path of `usd` begins with `result`
  ╭─[placet.toml:4:76]
4 │ tools = { pay = { level = "write", cost = { usd = "1" }, actual = { usd = "args.charged" } }, find = "read", void = "delete" }
  ·                                                                            ─────┬──────  help: it is a place in the structured result, as in `result.charged`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
trusted = true
tools = { pay = { level = "write", cost = { usd = "1" }, actual = { usd = "charged" } }, find = "read", void = "delete" }"#,
            r#"error: `charged` cannot be read as a path
  ╭─[placet.toml:4:76]
4 │ tools = { pay = { level = "write", cost = { usd = "1" }, actual = { usd = "charged" } }, find = "read", void = "delete" }
  ·                                                                            ───┬───  help: a path begins with `args` or `result`, not with `charged`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", once = "requierd" }, find = "read", void = "delete" }"#,
            r#"error: unknown word `requierd` for `once`
  ╭─[placet.toml:3:44]
3 │ tools = { pay = { level = "write", once = "requierd" }, find = "read", void = "delete" }
  ·                                            ───┬────  help: did you mean `required`?
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", once = true }, find = "read", void = "delete" }"#,
            r#"error: `once` must be none, required, derived, or a table, not a boolean
  ╭─[placet.toml:3:43]
3 │ tools = { pay = { level = "write", once = true }, find = "read", void = "delete" }
  ·                                           ─┬──
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", once = { by = [] } }, find = "read", void = "delete" }"#,
            r#"error: `by` names no argument
  ╭─[placet.toml:3:50]
3 │ tools = { pay = { level = "write", once = { by = [] } }, find = "read", void = "delete" }
  ·                                                  ┬─  help: as in `by = ["args.invoice_id"]`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", once = { by = "args.id" } }, find = "read", void = "delete" }"#,
            r#"error: `by` must be a list of paths, not a text
  ╭─[placet.toml:3:51]
3 │ tools = { pay = { level = "write", once = { by = "args.id" } }, find = "read", void = "delete" }
  ·                                                   ───┬───  help: write it as a list: `by = ["args.id"]`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", once = { by = ["args.id", "result.id"] } }, find = "read", void = "delete" }"#,
            r#"error: the path of `by` begins with `args`
  ╭─[placet.toml:3:63]
3 │ tools = { pay = { level = "write", once = { by = ["args.id", "result.id"] } }, find = "read", void = "delete" }
  ·                                                               ────┬────  help: it is a place in the call's arguments, as in `args.order_id`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", once = { key = "required", by = ["args.id"] } }, find = "read", void = "delete" }"#,
            r#"error: `once` has either `key` or `by`, not both
  ╭─[placet.toml:3:63]
3 │ tools = { pay = { level = "write", once = { key = "required", by = ["args.id"] } }, find = "read", void = "delete" }
  ·                                                               ┬─  help: `by` holds whoever calls; a key is the caller's own
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", once = { key = "required", within = "1h" } }, find = "read", void = "delete" }"#,
            r#"error: `1h` is not a length of time that can be used
  ╭─[placet.toml:3:73]
3 │ tools = { pay = { level = "write", once = { key = "required", within = "1h" } }, find = "read", void = "delete" }
  ·                                                                         ┬─  help: write a number and a unit, as in 90s, 30m, 1h, 7d; at least 1d, at most 365d
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", once = { by = ["args.id"], within = "1y" } }, find = "read", void = "delete" }"#,
            r#"error: `1y` is not a length of time that can be used
  ╭─[placet.toml:3:73]
3 │ tools = { pay = { level = "write", once = { by = ["args.id"], within = "1y" } }, find = "read", void = "delete" }
  ·                                                                         ┬─  help: write a number and a unit, as in 90s, 30m, 1h, 7d; at most 365d
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", once = { forward = "" } }, find = "read", void = "delete" }"#,
            r#"error: `forward` names no argument
  ╭─[placet.toml:3:55]
3 │ tools = { pay = { level = "write", once = { forward = "" } }, find = "read", void = "delete" }
  ·                                                       ┬─  help: as in `forward = "idempotency_key"`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", once = { wihtin = "1h" } }, find = "read", void = "delete" }"#,
            r#"error: unknown key `wihtin` in `once`
  ╭─[placet.toml:3:45]
3 │ tools = { pay = { level = "write", once = { wihtin = "1h" } }, find = "read", void = "delete" }
  ·                                             ──┬───  help: did you mean `within`?
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", once = { reconcile = {} } }, find = "read", void = "delete" }"#,
            r#"error: `reconcile` has no `tool`
  ╭─[placet.toml:3:57]
3 │ tools = { pay = { level = "write", once = { reconcile = {} } }, find = "read", void = "delete" }
  ·                                                         ┬─  help: as in `tool = "get_refund"`

error: `reconcile` has no `happened`
  ╭─[placet.toml:3:57]
3 │ tools = { pay = { level = "write", once = { reconcile = {} } }, find = "read", void = "delete" }
  ·                                                         ┬─  help: as in `happened = "result.found"`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", once = { reconcile = { tool = "fnd", happened = "result.found" } } }, find = "read", void = "delete" }"#,
            r#"error: tool `erp/fnd` is not in the catalogue
  ╭─[placet.toml:3:67]
3 │ tools = { pay = { level = "write", once = { reconcile = { tool = "fnd", happened = "result.found" } } }, find = "read", void = "delete" }
  ·                                                                   ─┬─  help: did you mean `find`?
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", once = { reconcile = { tool = "void", happened = "result.found" } } }, find = "read", void = "delete" }"#,
            r#"error: tool `erp/void` is of level delete
  ╭─[placet.toml:3:67]
3 │ tools = { pay = { level = "write", once = { reconcile = { tool = "void", happened = "result.found" } } }, find = "read", void = "delete" }
  ·                                                                   ─┬──  help: a look-up only reads: name a tool of level read
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", once = { reconcile = { tool = "find", args = { id = "result.id" }, happened = "args.found" } } }, find = "read", void = "delete" }"#,
            r#"error: the path of `id` begins with `args`
  ╭─[placet.toml:3:89]
3 │ … pay = { level = "write", once = { reconcile = { tool = "find", args = { id = "result.id" }, happened = "args.found" } } }, find = "read", void = "delete" }
  ·                                                                                 ────┬────  help: it is a place in the call's arguments, as in `args.order_id`

error: the path of `happened` begins with `result`
  ╭─[placet.toml:3:115]
3 │ …once = { reconcile = { tool = "find", args = { id = "result.id" }, happened = "args.found" } } }, find = "read", void = "delete" }
  ·                                                                                 ────┬─────  help: it is a place in the structured result, as in `result.charged`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", repeat = "yes" }, find = "read", void = "delete" }"#,
            r#"error: `repeat` must be true or false, not a text
  ╭─[placet.toml:3:46]
3 │ tools = { pay = { level = "write", repeat = "yes" }, find = "read", void = "delete" }
  ·                                              ─┬─
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", canary = 1 }, find = "read", void = "delete" }"#,
            r#"error: `canary` must be true or false, not a whole number
  ╭─[placet.toml:3:45]
3 │ tools = { pay = { level = "write", canary = 1 }, find = "read", void = "delete" }
  ·                                             ┬
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", labels = ["Egress", "pii"] }, find = "read", void = "delete" }"#,
            r#"error: the name `Egress` cannot be used
  ╭─[placet.toml:3:47]
3 │ tools = { pay = { level = "write", labels = ["Egress", "pii"] }, find = "read", void = "delete" }
  ·                                               ──┬───  help: a label is 1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", labels = "egress" }, find = "read", void = "delete" }"#,
            r#"error: `labels` must be a list of texts, not a text
  ╭─[placet.toml:3:46]
3 │ tools = { pay = { level = "write", labels = "egress" }, find = "read", void = "delete" }
  ·                                              ──┬───  help: write it as a list: `labels = ["egress"]`
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", result_max = "1 MB" }, find = "read", void = "delete" }"#,
            r#"error: `1 MB` is not a size that can be used
  ╭─[placet.toml:3:50]
3 │ tools = { pay = { level = "write", result_max = "1 MB" }, find = "read", void = "delete" }
  ·                                                  ─┬──  help: write a number and a unit, as in 512 B, 64 KiB, 1 MiB; at most 64 MiB
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", result_max = 1024 }, find = "read", void = "delete" }"#,
            r#"error: `result_max` must be a size, as in `"1 MiB"`, not a whole number
  ╭─[placet.toml:3:49]
3 │ tools = { pay = { level = "write", result_max = 1024 }, find = "read", void = "delete" }
  ·                                                 ─┬──
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", result_max = "1 GiB" }, find = "read", void = "delete" }"#,
            r#"error: `1 GiB` is not a size that can be used
  ╭─[placet.toml:3:50]
3 │ tools = { pay = { level = "write", result_max = "1 GiB" }, find = "read", void = "delete" }
  ·                                                  ──┬──  help: write a number and a unit, as in 512 B, 64 KiB, 1 MiB; at most 64 MiB
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", deadline = "0s" }, find = "read", void = "delete" }"#,
            r#"error: `0s` is not a length of time that can be used
  ╭─[placet.toml:3:48]
3 │ tools = { pay = { level = "write", deadline = "0s" }, find = "read", void = "delete" }
  ·                                                ┬─  help: write a number and a unit, as in 90s, 30m, 1h, 7d; at most 1d
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
tools = { pay = { level = "write", dry_run = true }, find = "read", void = "delete" }"#,
            r#"error: `dry_run` is not built yet in this version
  ╭─[placet.toml:3:36]
3 │ tools = { pay = { level = "write", dry_run = true }, find = "read", void = "delete" }
  ·                                    ───┬───  help: take it out: what is not enforced must not look as if it were
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
trusted = "yes""#,
            r#"error: `trusted` must be true or false, not a text
  ╭─[placet.toml:3:12]
3 │ trusted = "yes"
  ·            ─┬─
"#,
        ),
        (
            r#"[servers.erp]
command = ["erp"]
trusted = "yes"
tools = { pay = { level = "write", cost = { usd = "1" }, actual = { usd = "result.usd" } } }"#,
            r#"error: `trusted` must be true or false, not a text
  ╭─[placet.toml:3:12]
3 │ trusted = "yes"
  ·            ─┬─
"#,
        ),
    ]);
}

#[test]
fn mistakes_about_budgets() {
    assert_found(&[
        (
            r#"[budgets]
name = "b""#,
            r#"error: `budgets` must be a list of tables, not a table
  ╭─[placet.toml:1:1]
1 │ [budgets]
  · ────┬────  help: write `[[budgets]]` above each
"#,
        ),
        (
            r#"budgets = ["b"]"#,
            r#"error: `budgets` must be a table, not a text
  ╭─[placet.toml:1:13]
1 │ budgets = ["b"]
  ·             ┬
"#,
        ),
        (
            r#"[[budgets]]
"#,
            r#"error: the budget has no `name`
  ╭─[placet.toml:1:1]
1 │ [[budgets]]
  · ─────┬─────  help: records and refusals say it, as in `name = "support day"`

error: the budget does not say `for` whose calls it is
  ╭─[placet.toml:1:1]
1 │ [[budgets]]
  · ─────┬─────  help: as in `for = { agent = "support" }`, or `for = "all"` for everybody together

error: the budget does not say `per` which time it is
  ╭─[placet.toml:1:1]
1 │ [[budgets]]
  · ─────┬─────  help: as in `per = "day"`

error: the budget does not say how much
  ╭─[placet.toml:1:1]
1 │ [[budgets]]
  · ─────┬─────  help: as in `calls = 50`, or `spend = "500.00 usd"`
"#,
        ),
        (
            r#"[[budgets]]
name = " b"
for = "all"
per = "day"
calls = 5"#,
            r#"error: the name ` b` cannot be used
  ╭─[placet.toml:2:9]
2 │ name = " b"
  ·         ┬─  help: a budget's name is 1 to 64 visible characters, without blanks at its ends
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
calls = 5
[[budgets]]
name = "b"
for = "all"
per = "week"
calls = 9"#,
            r#"error: two budgets are called `b`
  ╭─[placet.toml:7:9]
7 │ name = "b"
  ·         ┬  help: a name is one's alone
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "everybody"
per = "day"
calls = 5"#,
            r#"error: `for` cannot be `everybody`
  ╭─[placet.toml:3:8]
3 │ for = "everybody"
  ·        ────┬────  help: it is `"all"`, or one of agent, team, client, server and tool, as in `{ agent = "support" }`
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = { agent = "suport" }
per = "day"
calls = 5"#,
            r#"error: unknown agent `suport`
  ╭─[placet.toml:3:18]
3 │ for = { agent = "suport" }
  ·                  ──┬───  help: did you mean `support`?
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = { team = "helpdsk" }
per = "day"
calls = 5"#,
            r#"error: unknown team `helpdsk`
  ╭─[placet.toml:3:17]
3 │ for = { team = "helpdsk" }
  ·                 ───┬───  help: did you mean `helpdesk`?
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = { client = "dekstop" }
per = "day"
calls = 5"#,
            r#"error: unknown client `dekstop`
  ╭─[placet.toml:3:19]
3 │ for = { client = "dekstop" }
  ·                   ───┬───  help: did you mean `desktop`?
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = { client = "phone" }
per = "day"
calls = 5"#,
            r#"error: unknown client `phone`
  ╭─[placet.toml:3:19]
3 │ for = { client = "phone" }
  ·                   ──┬──  help: describe it in a table, `[clients.NAME]`
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = { server = "cmr" }
per = "day"
calls = 5"#,
            r#"error: unknown server `cmr`
  ╭─[placet.toml:3:19]
3 │ for = { server = "cmr" }
  ·                   ─┬─  help: did you mean `crm`?
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = { tool = "crm/refnd" }
per = "day"
calls = 5"#,
            r#"error: tool `crm/refnd` is not in the catalogue
  ╭─[placet.toml:3:17]
3 │ for = { tool = "crm/refnd" }
  ·                 ────┬────  help: did you mean `crm/refund`?
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = { tool = "crm/pay_*" }
per = "day"
calls = 5"#,
            r#"error: pattern `crm/pay_*` matches no tool of this file
  ╭─[placet.toml:3:17]
3 │ for = { tool = "crm/pay_*" }
  ·                 ────┬────  help: list the tool in its server's table, with its level
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = { agent = "support", team = "helpdesk" }
per = "day"
calls = 5"#,
            r#"error: `for` names one scope
  ╭─[placet.toml:3:7]
3 │ for = { agent = "support", team = "helpdesk" }
  ·       ───────────────────┬────────────────────  help: it is `"all"`, or one of agent, team, client, server and tool, as in `{ agent = "support" }`
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = {}
per = "day"
calls = 5"#,
            r#"error: `for` names one scope
  ╭─[placet.toml:3:7]
3 │ for = {}
  ·       ┬─  help: it is `"all"`, or one of agent, team, client, server and tool, as in `{ agent = "support" }`
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = { agnt = "support" }
per = "day"
calls = 5"#,
            r#"error: unknown key `agnt` in `for`
  ╭─[placet.toml:3:9]
3 │ for = { agnt = "support" }
  ·         ─┬──  help: did you mean `agent`?
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = { session = "*" }
per = "day"
calls = 5"#,
            r#"error: `session` is not built yet in this version
  ╭─[placet.toml:3:9]
3 │ for = { session = "*" }
  ·         ───┬───  help: write `per = "session"` beside whose calls count
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "dya"
calls = 5"#,
            r#"error: unknown window `dya`
  ╭─[placet.toml:4:8]
4 │ per = "dya"
  ·        ─┬─  help: did you mean `day`?
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "fortnight"
calls = 5"#,
            r#"error: unknown window `fortnight`
  ╭─[placet.toml:4:8]
4 │ per = "fortnight"
  ·        ────┬────  help: it is one of session, minute, hour, day, week, month, total, or any last so much time, as in 24h
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "30s"
calls = 5"#,
            r#"error: `30s` is not a length of time that can be used
  ╭─[placet.toml:4:8]
4 │ per = "30s"
  ·        ─┬─  help: write a number and a unit, as in 90s, 30m, 1h, 7d; at least 1m, at most 365d
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = { rolling = "24h" }
calls = 5"#,
            r#"error: `per` must be a text, not a table
  ╭─[placet.toml:4:7]
4 │ per = { rolling = "24h" }
  ·       ─────────┬─────────  help: as in `"day"`, or `"24h"` for any last 24 hours
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
zone = "Europe/Lisboa"
calls = 5"#,
            r#"error: unknown time zone `Europe/Lisboa`
  ╭─[placet.toml:5:9]
5 │ zone = "Europe/Lisboa"
  ·         ──────┬──────  help: did you mean `Europe/Lisbon`?
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "24h"
zone = "UTC"
calls = 5"#,
            r#"error: `zone` is about the calendar, and this window is none
  ╭─[placet.toml:5:1]
5 │ zone = "UTC"
  · ─┬──  help: take it out, or write `per = "day"`
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day""#,
            r#"error: the budget does not say how much
  ╭─[placet.toml:1:1]
1 │ [[budgets]]
  · ─────┬─────  help: as in `calls = 50`, or `spend = "500.00 usd"`
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
calls = 5
spend = "1 usd""#,
            r#"error: a budget caps one thing
  ╭─[placet.toml:5:1]
5 │ calls = 5
  · ──┬──  help: write another budget for the other
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
calls = 0"#,
            r#"error: `calls` cannot be zero
  ╭─[placet.toml:5:9]
5 │ calls = 0
  ·         ┬  help: what must never happen is refused by `deny` or by a guard that forbids
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
calls = -1"#,
            r#"error: `calls` cannot be -1
  ╭─[placet.toml:5:9]
5 │ calls = -1
  ·         ┬─  help: it is a number from 1 to 9223372036854
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
calls = "5""#,
            r#"error: `calls` must be a whole number, not a text
  ╭─[placet.toml:5:10]
5 │ calls = "5"
  ·          ┬
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
spend = 500"#,
            r#"error: `spend` must be an amount and its unit, as in `"500.00 usd"`, not a whole number
  ╭─[placet.toml:5:9]
5 │ spend = 500
  ·         ─┬─
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
spend = "500""#,
            r#"error: `500` is not an amount and its unit
  ╭─[placet.toml:5:10]
5 │ spend = "500"
  ·          ─┬─  help: write both, as in `"500.00 usd"`
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
spend = "500,00 usd""#,
            r#"error: `500,00` is not an amount
  ╭─[placet.toml:5:10]
5 │ spend = "500,00 usd"
  ·          ──┬───  help: `500,00` is not a plain decimal such as `12.50`
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
spend = "500 USD""#,
            r#"error: the name `USD` cannot be used
  ╭─[placet.toml:5:14]
5 │ spend = "500 USD"
  ·              ─┬─  help: a unit is 1 to 16 of a-z, 0-9 and `_`, beginning with a letter
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
spend = "0.00 usd""#,
            r#"error: `spend` cannot be zero
  ╭─[placet.toml:5:10]
5 │ spend = "0.00 usd"
  ·          ───┬────  help: what must never happen is refused by `deny` or by a guard that forbids
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
spend = "50 calls""#,
            r#"error: `calls` is no unit of a cost: it is counted by itself
  ╭─[placet.toml:5:13]
5 │ spend = "50 calls"
  ·             ──┬──  help: a budget says `calls = 50`
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
bytes = 1000"#,
            r#"error: `bytes` must be a size, as in `"1 MiB"`, not a whole number
  ╭─[placet.toml:5:9]
5 │ bytes = 1000
  ·         ─┬──
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
bytes = "0 B""#,
            r#"error: `0 B` is not a size that can be used
  ╭─[placet.toml:5:10]
5 │ bytes = "0 B"
  ·          ─┬─  help: write a number and a unit, as in 512 B, 64 KiB, 1 MiB; at most 9223372036854 B
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
time = "2 hours""#,
            r#"error: `2 hours` is not a length of time that can be used
  ╭─[placet.toml:5:9]
5 │ time = "2 hours"
  ·         ───┬───  help: write a number and a unit, as in 90s, 30m, 1h, 7d; at most 365d
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
usd = 500"#,
            r#"error: the budget does not say how much
  ╭─[placet.toml:1:1]
1 │ [[budgets]]
  · ─────┬─────  help: as in `calls = 50`, or `spend = "500.00 usd"`

error: unknown key `usd` in `budgets`
  ╭─[placet.toml:5:1]
5 │ usd = 500
  · ─┬─  help: its keys are name, for, per, zone, spend, calls, tokens, bytes, time, errors, recipients, rows, over, warn, unpriced
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
calls = 5
over = "dney""#,
            r#"error: unknown word `dney` for `over`
  ╭─[placet.toml:6:9]
6 │ over = "dney"
  ·         ─┬──  help: did you mean `deny`?
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
calls = 5
over = "aproval:finance""#,
            r#"error: unknown control `aproval`
  ╭─[placet.toml:6:9]
6 │ over = "aproval:finance"
  ·         ───────┬───────  help: did you mean `approval`? controls are `approval:<group>[:votes][:strength]`, as in `approval:finance:2`
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
calls = 5
over = "allow""#,
            r#"error: unknown word `allow` for `over`
  ╭─[placet.toml:6:9]
6 │ over = "allow"
  ·         ──┬──  help: it is `deny`, or a control as in `approval:finance`
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
calls = 5
warn = [80, 50, 80]"#,
            r#"error: 50 stands after a larger or the same percent
  ╭─[placet.toml:6:13]
6 │ warn = [80, 50, 80]
  ·             ┬─  help: write them from the smallest

error: 80 stands after a larger or the same percent
  ╭─[placet.toml:6:17]
6 │ warn = [80, 50, 80]
  ·                 ┬─  help: write them from the smallest
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
calls = 5
warn = [0, 101]"#,
            r#"error: 0 is no percent of a cap
  ╭─[placet.toml:6:9]
6 │ warn = [0, 101]
  ·         ┬  help: it is a number from 1 to 100

error: 101 is no percent of a cap
  ╭─[placet.toml:6:12]
6 │ warn = [0, 101]
  ·            ─┬─  help: it is a number from 1 to 100
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
calls = 5
warn = 80"#,
            r#"error: `warn` must be a list of percents, as in `[50, 80]`, not a whole number
  ╭─[placet.toml:6:8]
6 │ warn = 80
  ·        ┬─
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
calls = 5
unpriced = "deny""#,
            r#"error: `unpriced` is about tools without a cost
  ╭─[placet.toml:6:1]
6 │ unpriced = "deny"
  · ───┬────  help: take it out: what this budget caps is counted without one
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
spend = "5 usd"
unpriced = "denied""#,
            r#"error: unknown word `denied` for `unpriced`
  ╭─[placet.toml:6:13]
6 │ unpriced = "denied"
  ·             ──┬───  help: it is one of free, deny
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = "all"
per = "day"
spend = "5 usd""#,
            r#"warning: no tool that budget `b` counts has a cost in usd
  ╭─[placet.toml:5:10]
5 │ spend = "5 usd"
  ·          ──┬──  help: it caps nothing: say what a call costs, as in `cost = { usd = "args.amount" }`
"#,
        ),
        (
            r#"[[budgets]]
name = "b"
for = { tool = "crm/re*" }
per = "day"
spend = "5 usd"
unpriced = "deny""#,
            r#"warning: no tool that budget `b` counts has a cost in usd
  ╭─[placet.toml:5:10]
5 │ spend = "5 usd"
  ·          ──┬──  help: it refuses every call: say what a call costs, as in `cost = { usd = "args.amount" }`
"#,
        ),
        (
            r#"[clients.host]
credential = "sha256:abababababababababababababababababababababababababababababababab"
agent = "support"
servers = ["crm"]
sessions = true
[[budgets]]
name = "run"
for = { agent = "support" }
per = "session"
calls = 5"#,
            r#"error: client `host` opens its own sessions, and so begins budget `run` anew as it likes
  ╭─[placet.toml:9:8]
9 │ per = "session"
  ·        ───┬───  help: put a longer one for the same beside it, as with `per = "day"`
"#,
        ),
    ]);
}

#[test]
fn mistakes_about_trips() {
    assert_found(&[
        (
            r#"[trips]
name = "t""#,
            r#"error: `trips` must be a list of tables, not a table
  ╭─[placet.toml:1:1]
1 │ [trips]
  · ───┬───  help: write `[[trips]]` above each
"#,
        ),
        (
            r#"[[trips]]"#,
            r#"error: the trip has no `name`
  ╭─[placet.toml:1:1]
1 │ [[trips]]
  · ────┬────  help: records say it, as in `name = "too many refusals"`

error: the trip counts nothing
  ╭─[placet.toml:1:1]
1 │ [[trips]]
  · ────┬────  help: say what, as in `denials = 20`

error: the trip does not say `within` which time
  ╭─[placet.toml:1:1]
1 │ [[trips]]
  · ────┬────  help: as in `within = "10m"`
"#,
        ),
        (
            r#"[[trips]]
name = "t"
agent = "suport"
denials = 20
within = "10m""#,
            r#"error: unknown agent `suport`
  ╭─[placet.toml:3:10]
3 │ agent = "suport"
  ·          ──┬───  help: did you mean `support`?
"#,
        ),
        (
            r#"[[trips]]
name = "t"
denials = 20
loops = 3
within = "10m""#,
            r#"error: a trip counts one thing
  ╭─[placet.toml:4:1]
4 │ loops = 3
  · ──┬──  help: write another trip for the other
"#,
        ),
        (
            r#"[[trips]]
name = "t"
loops = 0
within = "10m""#,
            r#"error: `loops` cannot be zero
  ╭─[placet.toml:3:9]
3 │ loops = 0
  ·         ┬  help: what must never happen is refused by `deny` or by a guard that forbids
"#,
        ),
        (
            r#"[[trips]]
name = "t"
spend = "100"
within = "10m""#,
            r#"error: `100` is not an amount and its unit
  ╭─[placet.toml:3:10]
3 │ spend = "100"
  ·          ─┬─  help: write both, as in `"500.00 usd"`
"#,
        ),
        (
            r#"[[trips]]
name = "t"
denials = 20
within = "90d""#,
            r#"error: `90d` is not a length of time that can be used
  ╭─[placet.toml:4:11]
4 │ within = "90d"
  ·           ─┬─  help: write a number and a unit, as in 90s, 30m, 1h, 7d; at most 31d
"#,
        ),
        (
            r#"[[trips]]
name = "t"
denials = 20
within = "10m"
[[trips]]
name = "t"
loops = 2
within = "10m""#,
            r#"error: two trips are called `t`
  ╭─[placet.toml:6:9]
6 │ name = "t"
  ·         ┬  help: a name is one's alone
"#,
        ),
        (
            r#"[[trips]]
name = "t"
errors = 20
within = "10m""#,
            r#"error: the trip counts nothing
  ╭─[placet.toml:1:1]
1 │ [[trips]]
  · ────┬────  help: say what, as in `denials = 20`

error: unknown key `errors` in `trips`
  ╭─[placet.toml:3:1]
3 │ errors = 20
  · ──┬───  help: its keys are name, agent, denials, loops, spend, within
"#,
        ),
    ]);
}

#[test]
fn mistakes_about_what_the_node_keeps_to() {
    assert_found(&[
        (
            r#"session = "30m""#,
            r#"error: `session` must be a table, not a text
  ╭─[placet.toml:1:12]
1 │ session = "30m"
  ·            ─┬─
"#,
        ),
        (
            r#"[session]
idel = "30m""#,
            r#"error: unknown key `idel` in `session`
  ╭─[placet.toml:2:1]
2 │ idel = "30m"
  · ─┬──  help: did you mean `idle`?
"#,
        ),
        (
            r#"[session]
idle = "30 min""#,
            r#"error: `30 min` is not a length of time that can be used
  ╭─[placet.toml:2:9]
2 │ idle = "30 min"
  ·         ──┬───  help: write a number and a unit, as in 90s, 30m, 1h, 7d; at most 365d
"#,
        ),
        (
            r#"[session]
idle = "2h"
max = "1h""#,
            r#"error: a session would end before it has been idle
  ╭─[placet.toml:2:9]
2 │ idle = "2h"
  ·         ┬─  help: `idle` is at most `max`; without them they are 30m and 24h
"#,
        ),
        (
            r#"[session]
max = "10m""#,
            r#"error: a session would end before it has been idle
  ╭─[placet.toml:2:8]
2 │ max = "10m"
  ·        ─┬─  help: `idle` is at most `max`; without them they are 30m and 24h
"#,
        ),
        (
            r#"durability = "os""#,
            r#"error: `durability` must be a table, not a text
  ╭─[placet.toml:1:15]
1 │ durability = "os"
  ·               ┬─
"#,
        ),
        (
            r#"[durability]
reads = "never""#,
            r#"error: unknown word `never` for `reads`
  ╭─[placet.toml:2:10]
2 │ reads = "never"
  ·          ──┬──  help: it is one of queue, wait
"#,
        ),
        (
            r#"[durability]
write = "disk""#,
            r#"error: unknown word `disk` for `write`
  ╭─[placet.toml:2:10]
2 │ write = "disk"
  ·          ─┬──  help: it is one of flush, os
"#,
        ),
        (
            r#"[durability]
read = "os""#,
            r#"error: unknown key `read` in `durability`
  ╭─[placet.toml:2:1]
2 │ read = "os"
  · ─┬──  help: did you mean `reads`?
"#,
        ),
        (
            r#"[fail]
store = "deny""#,
            r#"error: `store` must be a table, not a text
  ╭─[placet.toml:2:10]
2 │ store = "deny"
  ·          ─┬──
"#,
        ),
        (
            r#"[fail]
storage = { read = "deny" }"#,
            r#"error: unknown key `storage` in `fail`
  ╭─[placet.toml:2:1]
2 │ storage = { read = "deny" }
  · ───┬───  help: did you mean `store`?
"#,
        ),
        (
            r#"[fail]
store = { read = "allow" }"#,
            r#"error: no part of a node fails open, for no level and for no time
  ╭─[placet.toml:2:19]
2 │ store = { read = "allow" }
  ·                   ──┬──  help: write `"deny"`, or take it out; docs/design/0007-fail-modes.md says why
"#,
        ),
        (
            r#"[fail]
store = { read = "allow 2s" }"#,
            r#"error: no part of a node fails open, for no level and for no time
  ╭─[placet.toml:2:19]
2 │ store = { read = "allow 2s" }
  ·                   ───┬────  help: write `"deny"`, or take it out; docs/design/0007-fail-modes.md says why
"#,
        ),
        (
            r#"[fail]
store = { reads = "deny" }"#,
            r#"error: unknown key `reads` in `fail.store`
  ╭─[placet.toml:2:11]
2 │ store = { reads = "deny" }
  ·           ──┬──  help: did you mean `read`?
"#,
        ),
        (
            r#"[fail]
store = { read = "dney" }"#,
            r#"error: unknown word `dney` for `read`
  ╭─[placet.toml:2:19]
2 │ store = { read = "dney" }
  ·                   ─┬──  help: did you mean `deny`?
"#,
        ),
        (
            r#"[fail]
store = { read = true }"#,
            r#"error: `read` must be a text, not a boolean
  ╭─[placet.toml:2:18]
2 │ store = { read = true }
  ·                  ─┬──  help: write it in quotes
"#,
        ),
    ]);
}
