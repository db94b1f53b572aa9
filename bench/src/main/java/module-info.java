/** How fast the engine is, measured with JMH. */
module dev.gatun.bench {
    requires transitive dev.gatun.verify;
    requires jdk.incubator.vector;
    requires jmh.core;
    requires static ai.djl.api;
    requires java.management;

    exports dev.gatun.bench.layers to
            dev.gatun.cli;
    exports dev.gatun.bench.suite to
            dev.gatun.cli;
}
