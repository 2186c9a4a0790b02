using System.CommandLine;
using Dataflow;
using Dataflow.Cli;
using Dataflow.Model;

namespace TransformerDemo;

/// <summary>The command line `transformerDemo`.</summary>
internal static class DemoCommand
{
    /// <summary>Parses and runs.</summary>
    /// <param name="args">As the shell gave them.</param>
    /// <returns>The exit code (<see cref="ExitCode"/>).</returns>
    public static int Run(string[] args)
    {
        var host = Declare.Argument<Bytes?>("host_gb", "host memory budget: GiB, or with a unit such as 512MiB", t => Values.Size(t));
        var device = Declare.Argument<Bytes?>("dev_gb", "device memory budget: GiB, or with a unit such as 24GB", t => Values.Size(t));
        var seqlen = Declare.Argument<int>("seqlen", "tokens of a sequence", Values.Seqlen);
        var model = Declare.Argument(
            "model",
            "a JSON config, a folder with config.json and weights, or a name in models/",
            Values.FilePath
        );
        var root = new RootCommand("Trains a transformer within a host and a device memory budget and shows what it takes.")
        {
            host,
            device,
            seqlen,
            model,
        };
        var (geometry, policy, training, where) = (
            new GeometryFlags(),
            PolicyFlags.OfPlans,
            new TrainingFlags(defaultSteps: 100),
            new DeviceFlags()
        );
        geometry.AddTo(root);
        policy.AddTo(root);
        training.AddTo(root);
        where.AddAllTo(root);
        root.SetAction(given =>
        {
            var (parsed, from) = training.Complete(given);
            var plan = geometry.Bind(
                parsed,
                parsed.GetRequiredValue(model),
                parsed.GetValue(seqlen),
                parsed.GetValue(device),
                parsed.GetValue(host)
            );
            bool json = training.IsJson(parsed);
            plan = policy.Bind(parsed, plan) with { Device = where.Bind(parsed) };
            var settings = DemoText.Supply(training.Bind(parsed, plan, from), json);
            return (int)TrainingCommand.Execute(settings, json, training.RangeOf(parsed));
        });
        var examples = new Dictionary<Command, string[]>
        {
            [root] = ["transformerDemo 0.25 0.03 256 models/micro.json --data data/kjv.txt"],
        };
        return new Invocation("transformerDemo", root, examples).Run(args);
    }
}
