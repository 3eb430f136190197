# SPDX-License-Identifier: MIT
about="PostgreSQL: initdb, pgbench, amcheck"

bin=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort | tail -n 1)
bin=${bin%/initdb}

have() {
	[ -n "$bin" ] || { echo "no initdb: install postgresql"; return 1; }
	[ "$(id -u)" = 0 ] || { echo "needs root, to become postgres"; return 1; }
	[ -e /dev/userfaultfd ] || { echo "no /dev/userfaultfd"; return 1; }
}
version() { "$bin/postgres" --version; }

# In one program tree, as who may not be root.
work() {
	cat >steps <<-END
	set -e
	PATH=$bin:\$PATH
	initdb -D data -A trust -N --locale=C -E UTF8 >initdb.log 2>&1
	pg_ctl -D data -w -l server.log \
		-o "-k \$PWD -h '' -c shared_buffers=64MB -c fsync=off" start >/dev/null
	export PGHOST=\$PWD PGDATABASE=postgres
	pgbench -i -q -s $(short_or 1 5) >bench.log 2>&1
	pgbench -n -c 4 -j 2 -t $(short_or 300 2000) --random-seed=1 >>bench.log 2>&1
	psql -qAt -c 'create extension amcheck'
	psql -qAt <<-SQL
		select sum(abalance) from pgbench_accounts;
		select sum(bbalance) from pgbench_branches;
		select sum(tbalance) from pgbench_tellers;
		select count(*), sum(delta) from pgbench_history;
		select max(aid), count(distinct aid) from pgbench_accounts;
		set max_parallel_workers_per_gather = 2;
		select count(*) from pgbench_accounts a join pgbench_accounts b
			on a.abalance = b.abalance where a.aid < 100 and b.aid < 2000
			and a.aid = b.aid;
	SQL
	pg_amcheck --heapallindexed --parent-check postgres && echo amcheck ok
	pg_ctl -D data -w -m fast stop >/dev/null
	END
	{
		declare -p mode uhmm uhmm_args policy nstats
		declare -f under
	} >functions
	as_user postgres bash -c '. ./functions; under bash steps'
}
