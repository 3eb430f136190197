# SPDX-License-Identifier: MIT
about="nginx, two workers, under wrk"

have() { need nginx nginx-light && need wrk wrk && need curl curl; }
version() { nginx -v 2>&1; }

prepare() {
	mkdir -p www
	for i in $(seq 50); do
		awk -v i="$i" 'BEGIN { for (k = 0; k < i * 40; k++)
			print i, k, k * 7919 % 10007 }' >"www/$i.txt"
	done
	cat >nginx.conf <<-END
	user root;
	daemon off;
	worker_processes 2;
	pid $PWD/pid;
	error_log stderr;
	events { worker_connections 512; }
	http {
		access_log off;
		gzip on;
		gzip_types text/plain;
		gzip_min_length 100;
		types { text/plain txt; }
		client_body_temp_path $PWD; proxy_temp_path $PWD;
		fastcgi_temp_path $PWD; uwsgi_temp_path $PWD; scgi_temp_path $PWD;
		server { listen unix:$PWD/sock; listen 127.0.0.1:18099;
			root $PWD/www; }
	}
	END
}

work() {
	local pid i
	under nginx -c "$PWD/../input/nginx.conf" &
	pid=$!
	wait_for 20 curl -sf http://127.0.0.1:18099/1.txt || return
	wrk -t2 -c16 -d"$(short_or 3 10)s" -H 'Accept-Encoding: gzip' \
		http://127.0.0.1:18099/17.txt >wrk.log
	echo "wrk $?, errors: $(grep -c 'Non-2xx\|Socket errors' wrk.log)"
	for i in $(seq 50); do
		curl -s --compressed "http://127.0.0.1:18099/$i.txt"
	done | sha256sum
	kill -QUIT "$(cat ../input/pid)"
	wait $pid
}
