using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Reports;
using Dataflow.Reports.Pages;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>dataflow report: what result files come to.</summary>
internal static class ReportVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow report h100-8b.csv bench/published/published_sweeps.csv --out report",
        "dataflow report runs.csv --columns machine=gpu,tok_per_sec=throughput --peak MI300X=1307 --nodes 2,8 --out report",
        "dataflow report h100-8b.csv --tokens 1e12 --global-batch 512 --price 2.5 --figures svg,pdf --out report",
        "dataflow report --run first --run second --out report",
        "dataflow report --run first --serve",
    ];

    private const double MostPeak = 1e9;

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "report",
            "Says what result files come to: peaks, projections to more nodes, costs of runs, utilization, and comparisons, as a page "
                + "with charts, Markdown, CSV and JSON; and with --run how training runs went, or go."
        );
        var files = new Argument<string[]>("files")
        {
            Description = "result files: of dataflow sweep, with the published columns alone, or another program's CSV",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var runs = new RunPageFlags();
        var output = Declare.Option<string?>(
            "--out",
            "DIR",
            "write report.html, report.md, report.json and a CSV a table there; with --run runs.html",
            Values.FilePath
        );
        var columns = Declare.Option<ColumnMapping?>(
            "--columns",
            "OURS=THEIRS,...",
            "what the columns of another program's CSV are",
            ColumnMapping.Parse
        );
        var peaks = Declare.Option<Dictionary<string, double>?>(
            "--peak",
            "MACHINE=TFLOPS,...",
            "dense peaks of one GPU, in TFLOP/s, of machines that have no profile",
            Peaks
        );
        var all = Declare.Flag("--all", "list every configuration, not the best of each machine and model alone");
        var nodes = Declare.Option<long[]?>("--nodes", "N,N", "project to so many nodes [default: 2,4,8,16]", t =>
            [.. t.Split(',').Select(n => Values.Whole(n, 1, 1_000_000))]
        );
        var efficiencies = Declare.Option<double[]?>(
            "--efficiency",
            "X,X",
            "efficiencies that projections assume, beside 1 [default: 0.85,0.9,0.95]",
            t => [.. t.Split(',').Select(e => Fraction(e))]
        );
        var steps = Declare.Option<long?>("--steps", "N", "say what a run of so many steps costs [default: 100000]", t =>
            Values.Whole(t, 1, 1L << 50)
        );
        var tokens = Declare.Option<double?>("--tokens", "N", "say what a run over so many tokens costs, for example 1e12", t =>
            Number(t, 1e18)
        );
        var samples = Declare.Option<double?>("--samples", "N", "say what a run over so many sequences costs", t => Number(t, 1e18));
        var batch = Declare.Option<long?>("--global-batch", "SEQUENCES", "sequences of a step of that run [default: each row's own]", t =>
            Values.Whole(t, 1, 1L << 40)
        );
        var price = Declare.Option<double?>("--price", "X", "price of a GPU-hour, in any currency", t => Number(t, 1e9));
        var figures = new FigureFlags();
        var json = Declare.Flag("--json", "print the report as one JSON object instead of its files' names");
        command.Arguments.Add(files);
        Option[] ofFiles = [columns, peaks, all, nodes, efficiencies, steps, tokens, samples, batch, price, figures.Option];
        Option[] options = [.. runs.All, output, .. ofFiles, json];
        foreach (var option in options)
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed =>
        {
            runs.CheckNeeds(parsed, files, ofFiles, output);
            if (runs.Bind(parsed) is { } watched)
            {
                return (int)RunPages.Execute(watched, parsed.GetValue(output), parsed.GetValue(json));
            }

            var (s, t, n) = (parsed.GetValue(steps), parsed.GetValue(tokens), parsed.GetValue(samples));
            if (new[] { s is not null, t is not null, n is not null }.Count(given => given) > 1)
            {
                throw new UserErrorException("--steps, --tokens and --samples each say how long a run is; give one of them");
            }

            var settings = new ReportSettings(
                parsed.GetValue(all), parsed.GetValue(nodes) is { Length: > 0 } some ? some : ReportSettings.Default.Nodes,
                parsed.GetValue(efficiencies) is { Length: > 0 } fractions ? fractions : ReportSettings.Default.Efficiencies,
                t is { } wanted ? new RunLength.Tokens(wanted)
                    : n is { } sequences ? new RunLength.Samples(sequences)
                    : s is { } count ? new RunLength.Steps(count)
                    : ReportSettings.Default.Length,
                parsed.GetValue(batch),
                parsed.GetValue(price)
            );
            string folder = parsed.GetValue(output)
                ?? throw new UserErrorException("--out is missing; name the folder to write, for example --out report");
            var read = ResultFile.ReadAll(parsed.GetRequiredValue(files), parsed.GetValue(columns));
            MapFolder.Make(folder, "report.md");
            var report = Report.Of(read, Facts(parsed.GetValue(peaks) ?? []), settings);
            Write(report, folder, () => figures.Write(parsed, folder, () => StillFigure.Svgs(report)), parsed.GetValue(json));
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static void Write(Report report, string folder, Func<int> figures, bool json)
    {
        List<(string Name, string Text)> files =
        [
            ("report.md", report.Markdown()),
            ("report.html", ReportPage.Of(report)),
            ("report.json", report.Json()),
            .. report.Tables.Select(t => ($"{t.Name}.csv", t.Csv())),
        ];
        AtomicFile.WriteTexts(folder, files);

        int drawn = figures();
        if (json)
        {
            Console.Out.WriteLine(JsonNode.Parse(report.Json())!.ToJsonString());
        }
        else
        {
            Console.Out.WriteLine(
                $"{Path.Combine(folder, "report.md")}: {report.Files.Sum(f => f.Rows.Count):N0} rows of {report.Files.Count} "
                    + $"{(report.Files.Count == 1 ? "file" : "files")}; beside it "
                    + $"{string.Join(", ", files.Skip(1).Select(f => f.Name))}{(drawn > 0 ? $", and {drawn:N0} figures" : "")}"
            );
        }
    }

    /// <summary>Models of this checkout and peaks of its profiles, of which a row's names are looked up once.</summary>
    private static ReportFacts Facts(Dictionary<string, double> peaks)
    {
        var models = new Dictionary<string, ModelConfig?>();
        var machines = new Dictionary<string, HardwareProfile?>();
        HardwareProfile? Profile(string? name)
        {
            if (name is not null && !machines.ContainsKey(name))
            {
                machines[name] = HardwareFiles.All().FirstOrDefault(p => p.IsCalled(name));
            }

            return name is null ? null : machines[name];
        }

        ModelConfig? Model(ResultRow row)
        {
            if (row.Model is { } name && !models.ContainsKey(name))
            {
                models[name] =
                    name == Path.GetFileName(name) && Locations.Find("models", name + ".json") is { } file
                        ? ModelFiles.LoadConfig(file)
                        : null;
            }

            return row.Model is null ? null : models[row.Model];
        }

        double? Peak(ResultRow row) =>
            row.Machine is { } machine && peaks.TryGetValue(machine, out double given) ? given
            : (Profile(row.Hardware) ?? Profile(row.Machine)) is { } profile
                ? profile.PeakFlopsPerSecond(
                    Recipe.All.FirstOrDefault(r => r.Name == row.Dtype)?.Activations ?? Recipe.DefaultOn(profile.Kind).Activations
                ) / 1e12
            : null;
        return new ReportFacts(Model, Peak);
    }

    private static Dictionary<string, double> Peaks(string text)
    {
        var peaks = new Dictionary<string, double>();
        foreach (string pair in text.Split(',', StringSplitOptions.TrimEntries))
        {
            int at = pair.LastIndexOf('=');
            if (at <= 0)
            {
                throw new UserErrorException(
                    $"'{pair}' is no peak; write a machine, an equals sign and TFLOP/s of one GPU, as in MI300X=1307"
                );
            }

            peaks[pair[..at]] = Number(pair[(at + 1)..], MostPeak);
        }

        return peaks;
    }

    private static double Fraction(string text)
    {
        double value = Number(text, 1);
        return value < 1
            ? value
            : throw new UserErrorException(
                $"'{text}' is no efficiency of a projection; give a fraction below 1, as 0.9 (the linear bound comes by itself)"
            );
    }

    private static double Number(string text, double most) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value > 0 && value <= most
            ? value
            : throw new UserErrorException(
                $"'{text}' will not do; give a number above 0 and at most {most.ToString("#,0", CultureInfo.InvariantCulture)}"
            );
}
