/** How fast the engine is, measured with JMH. */
module dev.gatun.bench {
    requires transitive dev.gatun.verify;
    requires jdk.incubator.vector;
    requires jmh.core;
    requires static ai.djl.api;

    exports dev.gatun.bench.layers to
            dev.gatun.cli;
}
