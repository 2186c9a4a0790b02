using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow simulate: predictions without a machine, one or many.</summary>
public class SimulateTests
{
    private const string Reference = "simulate 8b --seqlen 8192 --device-memory 24 --host-memory 75 --hardware h100 --policy reference";

    private static JsonElement Json(string arguments) =>
        JsonDocument.Parse(Programs.Good(Programs.Dataflow(arguments + " --json"))).RootElement;

    [Fact]
    public void Policy_reference_predicts_a_published_row()
    {
        // The published row: 16384 tokens a chunk, 34 rounds of 2 sequences, 9,781 tok/s.
        var answer = Json(Reference);
        Assert.True(answer.GetProperty("feasible").GetBoolean());
        Assert.Equal(JsonValueKind.Null, answer.GetProperty("reason").ValueKind);
        Assert.Equal(
            (16384, 34, 34L * 16384),
            (
                answer.GetProperty("chunk_tokens").GetInt32(),
                answer.GetProperty("rounds_per_step").GetInt32(),
                answer.GetProperty("tokens_per_step").GetInt64()
            )
        );
        double rate = answer.GetProperty("tok_per_sec").GetDouble();
        Assert.InRange(rate, 0.94 * 9781, 1.06 * 9781);
        Assert.Equal(34 * 16384 / rate, answer.GetProperty("step_seconds").GetDouble(), 1e-6);
        Assert.InRange(answer.GetProperty("mfu").GetDouble(), 0.45, answer.GetProperty("hfu").GetDouble());
        Assert.InRange(answer.GetProperty("device_peak_bytes").GetInt64(), 20L << 30, 24L << 30);
        Assert.InRange(answer.GetProperty("host_peak_bytes").GetInt64(), 60L << 30, 75L << 30);
        Assert.Equal(64, answer.GetProperty("plan_hash").GetString()!.Length);
        Assert.InRange(answer.GetProperty("tflops").GetDouble(), 440, 560);
    }

    [Fact]
    public void A_batch_is_answered_in_order_as_one_by_one()
    {
        using var scratch = new ScratchFolder();
        string[] requests =
        [
            """{"model":"models/8b.json","seqlen":8192,"device_memory":24,"host_memory":75,"hardware":"h100","policy":"reference"}""",
            """{"model":"models/8b.json","seqlen":8192,"device_memory":4,"host_memory":75,"hardware":"h100","policy":"reference"}""",
            """{"model":"nano","seqlen":128,"device_memory":0.01,"host_memory":0.1,"hardware":"cpu"}""",
            """{"model":"nano","seqlen":128,"device_memory":0.01,"host_memory":0.1,"hardware":"cpu","policy":"reference","dtype":"bf16"}""",
            """{"model":"nano","seqlen":128,"device_memory":0.01,"host_memory":0.1,"hardware":"cpu","policy":"simple"}""",
        ];
        File.WriteAllLines(scratch.File("requests.jsonl"), requests);
        var answers = Programs
            .Good(Programs.Dataflow($"simulate --batch {scratch.File("requests.jsonl")}"))
            .TrimEnd('\n')
            .Split('\n')
            .Select(l => JsonDocument.Parse(l).RootElement)
            .ToList();
        Assert.Equal([true, false, true, false, true], answers.Select(a => a.GetProperty("feasible").GetBoolean()));
        Assert.Equal(Json(Reference).GetRawText(), answers[0].GetRawText());
        Assert.Contains("stays there during the whole step", answers[1].GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Equal(["reference", "reference", "auto", "reference", "simple"], answers.Select(a => a.GetProperty("policy").GetString()));
        Assert.Contains("policy reference knows the machines", answers[3].GetProperty("reason").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Lines_come_in_their_order_as_soon_as_they_can()
    {
        using var output = new StringWriter { NewLine = " " };
        var lines = new OrderedLines(output, 4);
        string[] soFar = [.. new[] { 2, 0, 1, 3 }.Select(i =>
        {
            lines.Put(i, $"{i}");
            return output.ToString();
        })];
        Assert.Equal(["", "0 ", "0 1 2 ", "0 1 2 3 "], soFar);
    }

    [Fact]
    public void Requests_that_share_a_search_are_answered_as_each_by_itself()
    {
        // Two groups that differ in their budgets alone, mixed; one cell of each does not fit, and of the last the step is no whole number
        // of rows.
        using var scratch = new ScratchFolder();
        string[] cells =
        [
            .. from memory in new[] { "8MiB", "1KiB", "64MiB" }
            from seqlen in new[] { 64, 128 }
            select $"nano --seqlen {seqlen} --device-memory {memory} --host-memory 0.1 --hardware cpu --global-batch 2048",
        ];
        string[] lines =
        [
            .. cells
                .Select(c => c.Split(' '))
                .Select(c =>
                    $$"""{"model":"{{c[0]}}","seqlen":{{c[2]}},"device_memory":"{{c[4]}}","host_memory":{{c[6]}}"""
                        + $$""","hardware":"{{c[8]}}","global_batch":{{c[10]}}}"""
                ),
        ];
        File.WriteAllLines(scratch.File("requests.jsonl"), [.. lines, lines[^1].Replace("2048", "2049", StringComparison.Ordinal)]);
        string[] answers = Programs
            .Good(Programs.Dataflow($"simulate --batch {scratch.File("requests.jsonl")} --no-cache"))
            .TrimEnd('\n')
            .Split('\n');
        var reader = new SimulationRequestReader();
        Assert.Equal(
            lines
                .Select(reader.Read)
                .Select(r => SimulationJson.Of(SimulationAnswer.Of(r, SimulationAnswer.SearchFor(r, PlanCache.None))).ToJsonString()),
            answers[..^1]
        );
        Assert.Equal(
            [true, true, false, false, true, true, false],
            answers.Select(a => JsonDocument.Parse(a).RootElement.GetProperty("feasible").GetBoolean())
        );
        Assert.Contains("no multiple of seqlen", answers[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"model":"nano","seqlen":128}""", "line 2: \"hardware\" is missing")]
    [InlineData("""{"model":"nano",""", "line 2: it is not valid JSON")]
    [InlineData("""{"model":"nano","seqlen":128,"device_memory":"x","host_memory":1,"hardware":"cpu"}""", "line 2: 'x' is no size")]
    [InlineData(
        """{"model":"nano","seqlen":128,"device_memory":1,"host_memory":1,"hardware":"cpu","police":"simple"}""",
        "line 2: \"police\" is not a key"
    )]
    [InlineData("[]", "line 2: a JSON object was expected")]
    public void A_line_that_is_no_request_is_named_before_anything_is_answered(string line, string message)
    {
        using var scratch = new ScratchFolder();
        File.WriteAllLines(
            scratch.File("requests.jsonl"),
            ["""{"model":"nano","seqlen":128,"device_memory":0.01,"host_memory":0.1,"hardware":"cpu"}""", line]
        );
        var outcome = Programs.Dataflow($"simulate --batch {scratch.File("requests.jsonl")}");
        Assert.Contains(message, Programs.Refused(2, outcome), StringComparison.Ordinal);
        Assert.Equal("", outcome.Output);
    }

    [Theory]
    [InlineData("simulate", "<model> is missing")]
    [InlineData("simulate nano", "--seqlen is missing")]
    [InlineData("simulate nano --seqlen 128 --device-memory 1", "--host-memory is missing")]
    [InlineData("simulate nano --seqlen 128 --device-memory 1 --host-memory 1", "--hardware is missing")]
    [InlineData(
        "simulate nano --seqlen 128 --device-memory 1 --host-memory 1 --hardware cpu --policy best",
        "'best' is no policy; choose auto, simple or reference"
    )]
    [InlineData(
        "simulate nano --seqlen 128 --device-memory 1 --host-memory 1 --hardware h100 --policy reference --dtype fp32",
        "policy reference has bf16 only"
    )]
    [InlineData(
        "simulate 8b --seqlen 8192 --device-memory 24 --host-memory 75 --hardware h100 --policy reference --global-batch 8192",
        "whole rounds of 16384 tokens"
    )]
    [InlineData("simulate nano --batch nothing.jsonl", "leave out <model>")]
    [InlineData(
        "simulate --batch nothing.jsonl --page step.html",
        "leave out <model>, --seqlen, --hardware, --trace, --page and --explain"
    )]
    [InlineData("simulate --batch nothing.jsonl --explain", "leave out <model>, --seqlen, --hardware, --trace, --page and --explain")]
    [InlineData("simulate --batch nothing.jsonl", "nothing.jsonl does not exist")]
    public void What_is_missing_or_wrong_is_one_sentence(string arguments, string message) =>
        Assert.Contains(message, Programs.Refused(2, Programs.Dataflow(arguments)), StringComparison.Ordinal);

    [Fact]
    public void What_does_not_fit_says_so_with_status_3() =>
        Assert.Contains(
            "of device memory",
            Programs.Refused(
                3,
                Programs.Dataflow("simulate 8b --seqlen 8192 --device-memory 4 --host-memory 75 --hardware h100 --policy reference")
            ),
            StringComparison.Ordinal
        );

    [Fact]
    public void The_summary_names_stalls_and_the_trace_has_every_op()
    {
        using var scratch = new ScratchFolder();
        string text = Programs.Good(
            Programs.Dataflow($"{Reference} --global-batch 65536 --trace {scratch.File("trace.json")} --page {scratch.File("step.html")}")
        );
        Assert.Contains("65,536 tokens", text, StringComparison.Ordinal);
        Assert.Contains("Compute waits for:", text, StringComparison.Ordinal);
        Assert.Contains("speed of light", text, StringComparison.Ordinal);
        var events = JsonDocument
            .Parse(File.ReadAllText(scratch.File("trace.json")))
            .RootElement.GetProperty("traceEvents")
            .EnumerateArray()
            .ToList();
        string summary = text.TrimEnd('\n').Split('\n')[^1];
        string ops = summary[(summary.IndexOf(": ", StringComparison.Ordinal) + 2)..]
            .Split(' ')[0]
            .Replace(",", "", StringComparison.Ordinal);
        Assert.Equal(ops, $"{events.Count(e => e.GetProperty("ph").GetString() == "X")}");
        Assert.All(events.Where(e => e.GetProperty("ph").GetString() == "X"), e =>
            Assert.True(e.GetProperty("ts").GetDouble() >= 0 && e.GetProperty("dur").GetDouble() >= 0)
        );
        Assert.Equal("Simulated", PageData.Of(scratch.File("step.html")).GetProperty("steps")[0].GetProperty("source").GetString());
        Assert.Equal(
            ["compute", "h2d", "d2h", "h2d-kv"],
            events.Where(e => e.GetProperty("ph").GetString() == "M").Select(e => e.GetProperty("args").GetProperty("name").GetString())
        );
    }
}
