using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Dataflow.Reports.Tests;

/// <summary>The page of runs as it is served: what comes, who may ask, and what clients that misbehave cost.</summary>
public sealed class RunServerTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private readonly TemporaryFolder folder = new();
    private readonly CancellationTokenSource stop = new();
    private readonly List<IDisposable> open = [];

    public RunServerTests() => Figures = folder.File("metrics.jsonl");

    private string Figures { get; }

    public void Dispose()
    {
        stop.Cancel();
        open.ForEach(o => o.Dispose());
        folder.Dispose();
    }

    [Fact]
    public void Lines_come_as_they_are_written_and_a_file_that_is_cut_comes_anew()
    {
        File.WriteAllText(Figures, Line(1) + Line(2));
        using var events = Events(Serve());
        Assert.Equal("event: runs", events.ReadLine());
        string all = events.ReadLine()!;
        Assert.Contains("\"step\":2,", all, StringComparison.Ordinal);
        Assert.Equal("", events.ReadLine());

        // Half a line is none yet.
        File.AppendAllText(Figures, Line(3) + Line(4)[..20]);
        Assert.Equal("event: lines", events.ReadLine());
        string next = events.ReadLine()!;
        Assert.Contains("\"step\":3,", next, StringComparison.Ordinal);
        Assert.DoesNotContain("\"step\":4,", next, StringComparison.Ordinal);
        Assert.Equal("", events.ReadLine());

        // The run was resumed from step 1, and has grown beyond where it was.
        File.WriteAllText(Figures, Line(1) + string.Concat(Enumerable.Range(2, 8).Select(s => Line(s, loss: 7))));
        Assert.Equal("event: runs", events.ReadLine());
        string anew = events.ReadLine()!;
        Assert.Contains("\"step\":9,\"loss\":7", anew, StringComparison.Ordinal);
        Assert.DoesNotContain("\"step\":3,\"loss\":2", anew, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_page_has_no_figures_and_other_paths_methods_and_names_are_refused()
    {
        File.WriteAllText(Figures, Line(1));
        int port = Serve().Port;
        string page = await Ask(port, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", page, StringComparison.Ordinal);
        Assert.Contains("<title>", page, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200", await Ask(port, $"GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 404", await Ask(port, "GET /etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 405", await Ask(port, "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 403", await Ask(port, "GET /events HTTP/1.1\r\nHost: evil.example\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 403", await Ask(port, "GET / HTTP/1.1\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 400", await Ask(port, "nothing of the kind\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 400", await Ask(port, "GET / HTTP/1.1\r\nX: " + new string('x', 9000)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Beyond_the_loopback_address_a_token_is_asked_for()
    {
        File.WriteAllText(Figures, Line(1));
        var address = Serve(IPAddress.Any);
        string token = address.Query["?token=".Length..];
        Assert.Equal(32, token.Length);
        Assert.StartsWith("HTTP/1.1 401", await Ask(address.Port, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith(
            "HTTP/1.1 401", await Ask(address.Port, "GET /events?token=0 HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith(
            "HTTP/1.1 200", await Ask(address.Port, $"GET /?token={token} HTTP/1.1\r\nHost: a.example\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void Clients_that_never_read_cost_neither_others_nor_memory()
    {
        File.WriteAllText(Figures, string.Concat(Enumerable.Range(1, 3000).Select(s => Line(s))));
        var address = Serve();
        for (int i = 0; i < 50; i++)
        {
            open.Add(Connect(address.Port, "GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
        }

        using var events = Events(address);
        Assert.Equal("event: runs", events.ReadLine());
        events.ReadLine();
        GC.Collect();
        long before = GC.GetTotalMemory(forceFullCollection: true);
        for (int round = 0; round < 8; round++)
        {
            File.AppendAllText(Figures, string.Concat(Enumerable.Range(3001 + (round * 50), 50).Select(s => Line(s))));
            Assert.Equal("", events.ReadLine());
            Assert.Equal("event: lines", events.ReadLine());
            events.ReadLine();
        }

        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 16 << 20);
    }

    [Fact]
    public void A_long_run_is_thinned_evenly_and_keeps_what_few_steps_say()
    {
        var run = new RunLines("long");
        for (int step = 1; step <= 100_000; step++)
        {
            string line = Line(step).TrimEnd();
            run.Add(step % 70 == 0 ? line.Replace("\"lr\"", "\"validation_loss\":3,\"lr\"", StringComparison.Ordinal) : line);
        }

        run.Add("""{"event":"summary"}""");
        Assert.False(run.Add("no JSON"));
        Assert.InRange(run.Count, RunLines.MostSteps, 4 * RunLines.MostSteps);
        Assert.InRange(run.Lines.Count(l => l.Contains("validation", StringComparison.Ordinal)), 1000, 1500);
        Assert.Contains("summary", run.Lines.Last(), StringComparison.Ordinal);
        Assert.Contains("\"step\":1,", run.Lines.First(), StringComparison.Ordinal);
    }

    private static string Line(int step, double loss = 2) =>
        $$"""{"event":"step","step":{{step}},"loss":{{loss}},"tok_per_sec":100,"lr":0.001,"seconds":0.1,"all_tokens":{{step * 64}}}"""
            + "\n";

    private Uri Serve(IPAddress? address = null)
    {
        var server = new RunServer(RunTail.OpenAll([Path.GetDirectoryName(Figures)!]), "Training", address ?? IPAddress.Loopback, 0);
        open.Add(server);
        _ = server.Run(stop.Token);
        return new Uri(server.Address);
    }

    private Socket Connect(int port, string request)
    {
        var client = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = (int)s_limit.TotalMilliseconds };
        client.Connect(IPAddress.Loopback, port);
        client.Send(Encoding.ASCII.GetBytes(request));
        return client;
    }

    private StreamReader Events(Uri address)
    {
        var client = Connect(address.Port, "GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        open.Add(client);
        var reader = new StreamReader(new NetworkStream(client));
        Assert.Equal("HTTP/1.1 200 OK", reader.ReadLine());
        while (reader.ReadLine() != "")
        {
        }

        return reader;
    }

    private async Task<string> Ask(int port, string request)
    {
        using var client = Connect(port, request);
        using var reader = new StreamReader(new NetworkStream(client));
        return await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
    }
}
