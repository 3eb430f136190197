# SPDX-License-Identifier: MIT
about="sqlite3: inserts, index, updates, integrity_check"

have() { need sqlite3 sqlite3; }
version() { sqlite3 --version | cut -d' ' -f1; }

prepare() {
	cat >script.sql <<-END
	pragma cache_size = -65536;
	create table t(a integer primary key, b text, c real);
	with recursive n(i) as
		(select 1 union all select i + 1 from n where i < $(short_or 60000 500000))
	insert into t select i, hex(i * 7919 % 100003) || printf('%0100d', i), i * 1.5 from n;
	create index tb on t(b);
	update t set c = c * 2 where a % 3 = 0;
	delete from t where a % 7 = 0;
	create table u as select b, sum(c) s from t group by substr(b, 1, 6);
	select count(*), sum(c), max(b) from t;
	select count(*), sum(s) from u;
	select b from t order by b desc limit 5;
	pragma integrity_check;
	END
}

work() {
	under sqlite3 work.db <../input/script.sql && sha256sum work.db
}
