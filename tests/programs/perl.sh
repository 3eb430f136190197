# SPDX-License-Identifier: MIT
about="perl: hashes, sorting, regular expressions, fork"

have() { need perl perl; }
version() { perl -e 'print "perl $^V\n"'; }

prepare() {
	cat >work.pl <<'END'
my $n = shift; my (%h, @l); my $s = 0;
for my $round (1 .. 3) {
	for my $i (1 .. $n) { $h{$i * 7919 % 100003} .= "$i,$round "; }
	for my $k (sort { $a <=> $b } keys %h) { $s += length $h{$k} if $h{$k} =~ /7.*,\d/; }
	@l = map { join "", reverse split //, $_ } values %h;
	$s += length for @l;
	if (my $pid = fork) { waitpid $pid, 0; $s += $? >> 8 }
	else { my $t = 0; $t += ord for values %h; exit $t % 200 }
}
print "$s\n";
END
}

work() { under perl ../input/work.pl "$(short_or 20000 150000)"; }
