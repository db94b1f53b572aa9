/** The gatun command. */
module dev.gatun.cli {
    requires dev.gatun.bench;
    requires info.picocli;
    requires java.desktop;
    requires jdk.incubator.vector;
    requires jmh.core;
    requires me.tongfei.progressbar;
    requires VectorGraphics2D;
    requires xchart;

    // picocli sets the fields of commands.
    opens dev.gatun.cli to
            info.picocli;
}
