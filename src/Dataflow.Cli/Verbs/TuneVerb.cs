using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Dataflow.Cli;

/// <summary>dataflow tune: measures which algorithms the matrix products of a plan should have, and stores the choice.</summary>
internal static class TuneVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow tune 8b --seqlen 8192 --device-memory 24GiB --host-memory 110GiB --device cuda",
        "dataflow tune 1b --seqlen 4096 --device cuda --again",
    ];

    private const double DefaultMilliseconds = 100;

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "tune",
            "Measures which algorithms of cuBLASLt are the fastest for the matrix products of a plan on this GPU, once, and stores the "
                + "choice for all runs."
        );
        var request = new RequestFlags();
        var output = Declare.Option<string?>(
            "--out",
            "FILE",
            "where to store the choices, and what they are added to [default: where runs on this machine look for them]",
            Values.FilePath
        );
        var again = Declare.Flag("--again", "measure products that have a stored choice, too: runs then have other bits than before");
        var time = Declare.Option(
            "--milliseconds",
            "N",
            $"how long each of up to 16 candidates of a product is run [default: {DefaultMilliseconds}]",
            Values.OptionalCount(1, 10_000)
        );
        var json = Declare.Flag("--json", "print one JSON object");
        request.AddTo(command);
        command.Options.Add(output);
        command.Options.Add(again);
        command.Options.Add(time);
        command.Options.Add(json);
        command.SetAction(given =>
        {
            var parsed = request.Complete(given);
            var (question, _) = request.Bind(parsed);
            var measurement = new ProductMeasurement(
                parsed.GetValue(output),
                (parsed.GetValue(time) ?? DefaultMilliseconds) / 1e3,
                parsed.GetValue(again)
            );
            return (int)Run(measurement, question, parsed.GetValue(json));
        });
        return command;
    }

    private static ExitCode Run(ProductMeasurement measurement, PlanQuestion question, bool json)
    {
        var plan = Plans.Require(Plans.Make(question));
        var (path, choices, measured) = measurement.Run(
            plan,
            question.Settings.Device,
            (what, percent) => Console.Error.WriteLine($"{percent,3}%  {what}")
        );
        if (json)
        {
            var products = choices.All.Select(c => KeyValuePair.Create(
                c.Key,
                (JsonNode?)new JsonObject
                {
                    ["seconds"] = c.Value.Seconds,
                    ["first_seconds"] = c.Value.FirstSeconds,
                    ["candidates"] = c.Value.Candidates,
                }
            ));
            Console.Out.WriteLine(
                new JsonObject
                {
                    ["file"] = path,
                    ["gpu"] = choices.Gpu,
                    ["cublaslt"] = choices.Library.ToString(),
                    ["measured"] = measured,
                    ["products"] = new JsonObject(products),
                }.ToJsonString()
            );
            return ExitCode.Ok;
        }

        foreach (var (product, choice) in choices.All)
        {
            string gain = (100 * ((choice.FirstSeconds / choice.Seconds) - 1)).ToString("0.0", CultureInfo.InvariantCulture);
            Console.Out.WriteLine($"{choice.Seconds * 1e6,10:N1} us  {gain,6}% above the library's own  {product}");
        }

        Console.Out.WriteLine(
            $"{measured} products measured, {choices.All.Count} for {choices.Gpu} with cuBLASLt {choices.Library} in {path}"
        );
        return ExitCode.Ok;
    }
}
