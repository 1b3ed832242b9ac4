# Prints the SQL that makes the objects of pg_dump's own tests, from one of their scripts (002_pg_dump.pl,
# test_pg_dump's 001_base.pl): the entries of its %tests, in their order. What concerns other databases or
# the whole server is left out.
use strict;
use warnings;

my ($path) = @ARGV;
open(my $file, '<', $path) or die "$path: $!";
my $text = do { local $/; <$file> };
$text =~ s/^.*?(?=^my %pgdump_runs)//ms or die "$path: no %pgdump_runs";
$text =~ s/^my \$node = .*//ms or die "$path: no \$node";

my $tests = eval "no strict; no warnings; my \$tempdir = '/nonexistent'; my (\$port, \$node); $text; \\%tests";
die "$path: $@" if $@ || !%$tests;

# Those that say when come first, as in the scripts; the rest by name, for the same order in every run.
my $when = sub { $tests->{ $_[0] }{create_order} || 1 << 30 };
for my $name (sort { $when->($a) <=> $when->($b) || $a cmp $b } keys %$tests)
{
	my $test = $tests->{$name};
	my $sql = $test->{create_sql} or next;
	next if defined $test->{database} || $sql =~ /\b(CREATE|ALTER) (DATABASE|TABLESPACE)\b/;
	$sql = "DO \$do\$ BEGIN $sql; EXCEPTION WHEN duplicate_object THEN NULL; END \$do\$"
	  if $sql =~ s/^\s*(CREATE ROLE [^;]*);?\s*$/$1/;
	print "$sql;\n";
}
