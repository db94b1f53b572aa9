/** The gatun command. */
module dev.gatun.cli {
    requires dev.gatun.bench;
    requires info.picocli;
}
