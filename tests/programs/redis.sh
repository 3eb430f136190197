# SPDX-License-Identifier: MIT
about="redis-server: 300,000 keys, redis-benchmark, BGSAVE (fork), a check of all keys"
policy=chaos,rate=50000

have() { need redis-server redis-server && need redis-benchmark redis-tools; }
version() { redis-server --version | cut -d' ' -f3; }

cli() { redis-cli -s "$PWD/sock" "$@"; }

work() {
	local n pid status
	n=$(short_or 100000 300000)
	under redis-server --port 0 --unixsocket "$PWD/sock" --dir "$PWD" \
		--save '' --enable-debug-command yes >server.log 2>&1 &
	pid=$!
	wait_for 20 cli ping || return
	cli eval "for i = 1, $n do redis.call('set', 'key:' .. i,
		string.rep(tostring(i), 8)) end
		for i = 1, $n / 10 do
			redis.call('zadd', 'z:' .. i % 100, i * 7919 % 10007, i)
			redis.call('rpush', 'l:' .. i % 97, i)
		end" 0
	redis-benchmark -s "$PWD/sock" --dbnum 1 -q -r 20000 -d 100 \
		-t set,get,incr,lpush,lpop,sadd,hset,mset \
		-n "$(short_or 15000 100000)" >bench.log 2>&1
	echo "benchmark $?"
	cli bgsave >/dev/null
	wait_for 60 sh -c "redis-cli -s '$PWD/sock' info persistence |
		grep -q rdb_bgsave_in_progress:0" || return
	cli eval "local bad = 0
		for i = 1, $n do
			if redis.call('get', 'key:' .. i) ~=
			   string.rep(tostring(i), 8) then bad = bad + 1 end
		end
		return bad" 0
	cli eval "redis.call('select', 1) local bad = 0
		for _, k in ipairs(redis.call('keys', 'key:*')) do
			if redis.call('type', k).ok == 'string' and
			   #redis.call('get', k) ~= 100 then bad = bad + 1 end
		end
		return bad" 0
	cli -n 1 flushdb
	cli debug digest
	redis-check-rdb dump.rdb | grep -c 'RDB looks OK'
	cli shutdown nosave
	wait $pid
	status=$?
	return $status
}
