using Dataflow.Model;

namespace Dataflow.Reports.Tests;

/// <summary>Result files: what is written is read, and what is no result file is refused with file and line.</summary>
public class ResultFileTests
{
    private static readonly ResultRow s_row = new()
    {
        Machine = "H100",
        HostGiB = 75,
        DeviceGiB = 24.5,
        Seqlen = 8192,
        ModelSize = 8,
        UsedHostGiB = 70.123456789,
        ChunkTokens = 16384,
        Rounds = 34,
        SequencesPerStep = 68,
        StepSeconds = 0.1,
        TokensPerSecond = 9781.5,
        Tflops = 503.5,
        Mfu = 0.5,
        Hfu = 0.55,
        Model = "8b",
        Source = ResultSource.Simulated,
        Policy = "auto",
        PlanHash = "abc",
        Commit = "123",
        Feasible = true,
        PredictedTokensPerSecond = 9781.5,
        StallPercent = 1.25,
        ToDeviceGB = 12,
        Hardware = "h100-sxm",
        Dtype = "bf16",
    };

    private static readonly string s_published = string.Join(',', ResultColumns.Published.Select(c => c.Name));
    private static readonly string s_ran = "H100,75,24,8192,8,70.5,23.5,16384,30,0,30,0,2,34,68,0.1,0.2,57,9781.1,503.4,0.509,0.55";

    private static string Refused(string file, string? mapping = null)
    {
        var error = Assert.ThrowsAny<UserErrorException>(() =>
            ResultFile.Read(file, mapping is null ? null : ColumnMapping.Parse(mapping))
        );
        Assert.DoesNotContain('\n', error.Message);
        return error.Message[(error.Message.LastIndexOf('/') + 1)..];
    }

    [Fact]
    public void What_is_written_is_read_back_field_for_field()
    {
        using var folder = new TemporaryFolder();
        var refused = s_row with
        {
            DeviceGiB = 4,
            Feasible = false,
            TokensPerSecond = null,
            Reason = "it \"does not\" fit,\nat all",
            SmallestDeviceGiB = 5.5,
        };
        string file = folder.File("own.csv", (ResultWriter.Head + ResultWriter.Line(s_row) + ResultWriter.Line(refused)).TrimEnd('\n'));
        var read = ResultFile.Read(file);
        Assert.Equal((ResultFormat.Own, true), (read.Format, read.StatesSource));
        Assert.Equal(
            [s_row with { File = file, Line = 2 }, refused with { File = file, Line = 3, Reason = "it \"does not\" fit, at all" }],
            read.Rows
        );
    }

    [Theory]
    [InlineData("=HYPERLINK(A1)", "'=HYPERLINK(A1)")]
    [InlineData("+1", "'+1")]
    [InlineData("-rocket", "'-rocket")]
    [InlineData("@mine", "'@mine")]
    [InlineData("\t=1", "'\t=1")]
    [InlineData("'=1", "''=1")]
    [InlineData("'plain", "'plain")]
    [InlineData("a=b-c", "a=b-c")]
    public void A_name_is_no_formula_to_a_spreadsheet_and_is_read_as_it_was(string name, string cell)
    {
        using var folder = new TemporaryFolder();
        var row = s_row with { Machine = name, Reason = name };
        string line = ResultWriter.Line(row), file = folder.File("own.csv", ResultWriter.Head + line);
        Assert.StartsWith(cell + ",", line, StringComparison.Ordinal);
        Assert.Contains($",{cell},", line[1..], StringComparison.Ordinal);
        Assert.Equal([row with { File = file, Line = 2 }], ResultFile.Read(file).Rows);
        var table = new ReportTable("t", "T", "", "", [new("name", "name")], [[name]]);
        Assert.Equal($"name\n{cell}\n", table.Csv());
    }

    [Fact]
    public void Columns_are_the_published_ones_under_their_names_and_then_ours()
    {
        Assert.Equal(
            "machine,host_mem_gb,dev_mem_gb,seq_len,model_size,used_host_mem_gb,used_dev_mem_gb,chunk_size,total_home_acts,"
                + "num_inp_only_saved,num_inp_attn_saved,num_full_saved,total_dev_acts,"
                + "num_rounds_per_step,seqs_per_step,recompute_pct,attn_flop_pct,avg_step_time,tok_per_sec,tflops,mfu,hfu,"
                + "model,source,policy,plan_hash,commit,feasible,reason,smallest_dev_gb,smallest_host_gb,predicted_tok_per_sec,"
                + "measured_tok_per_sec,host_peak_gb,dev_peak_gb,stall_pct,h2d_gb,d2h_gb,hardware,dtype,standing\n",
            ResultWriter.Head
        );
        Assert.Distinct(ResultColumns.All.Select(c => c.Name));
    }

    [Fact]
    public void The_published_sweeps_are_read_and_zeros_are_no_results()
    {
        var read = ResultFile.Read(Path.Combine(Checkout(), "bench", "published", "published_sweeps.csv"));
        Assert.Equal((ResultFormat.Published, 1692), (read.Format, read.Rows.Count));
        Assert.Equal(1328, read.Rows.Count(r => r.Feasible));
        Assert.Equal((7, 2), (read.Superseded.Count, read.Superseded.Count(r => r.Feasible))); // the same cells, run again
        Assert.Equal(
            931.062805,
            read.Rows.Single(r => r is { HostGiB: 256, DeviceGiB: 60, Seqlen: 524288, Machine: "H100", Model: "8b" }).TokensPerSecond
        );
        Assert.All(read.Rows, r => Assert.Equal((ResultSource.Published, r.Feasible), (r.Source, r.TokensPerSecond is not null)));
        Assert.Equal(["1b", "32b", "8b"], read.Rows.Select(r => r.Model).Distinct().Order());
    }

    [Fact]
    public void Another_programs_file_is_read_by_a_mapping()
    {
        using var folder = new TemporaryFolder();
        string file = folder.File("other.csv", "gpu,throughput,note", "MI300X,87933,\"a, b\"", "", "B200,90000,");
        var read = ResultFile.Read(file, ColumnMapping.Parse("machine=gpu, tok_per_sec=throughput"));
        Assert.Equal((ResultFormat.Generic, false), (read.Format, read.StatesSource));
        Assert.Equal([("MI300X", 87933.0, 2), ("B200", 90000.0, 4)], read.Rows.Select(r => (r.Machine!, r.TokensPerSecond!.Value, r.Line)));
    }

    [Fact]
    public void A_file_in_another_encoding_is_refused_at_its_line()
    {
        using var folder = new TemporaryFolder();
        string file = folder.File("latin.csv", "");
        File.WriteAllBytes(file, [.. "machine,tok_per_sec\nA,1\nB"u8, 0xE9, .. ",2\n"u8]);
        Assert.StartsWith("latin.csv, line 3: it is not UTF-8", Refused(file), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("machine=gpu,speed=x", "'speed' is no result column")]
    [InlineData("machine", "'machine' maps no column")]
    [InlineData("machine=a,machine=b", "'machine' is mapped twice")]
    public void A_mapping_that_is_none_is_refused(string text, string message) =>
        Assert.Contains(message, Assert.ThrowsAny<UserErrorException>(() => ColumnMapping.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Faults_name_file_and_line()
    {
        using var folder = new TemporaryFolder();
        Assert.StartsWith(
            "none.csv does not exist",
            Refused(Path.Combine(Path.GetDirectoryName(folder.File("a.csv"))!, "none.csv")),
            StringComparison.Ordinal
        );
        Assert.StartsWith("a.csv, line 1: the file is empty", Refused(folder.File("a.csv", "")), StringComparison.Ordinal);
        Assert.StartsWith(
            "a.csv, line 1: there is a head and no row",
            Refused(folder.File("a.csv", s_published)),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 1: unknown column 'gpu'",
            Refused(folder.File("a.csv", "gpu,tok_per_sec", "x,1")),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 1: there are two columns 'machine'",
            Refused(folder.File("a.csv", "machine,machine", "x,1")),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 1: no column is the machine",
            Refused(folder.File("a.csv", "tok_per_sec", "1")),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 1: no column says how fast",
            Refused(folder.File("a.csv", "machine", "x")),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 1: --columns has machine=gpu, and there is no column 'gpu'",
            Refused(folder.File("a.csv", "machine,tok_per_sec", "x,1"), "machine=gpu"),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 3: 21 fields where the head has 22",
            Refused(folder.File("a.csv", s_published, s_ran, s_ran[..s_ran.LastIndexOf(',')])),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 3: the head again",
            Refused(folder.File("a.csv", s_published, s_ran, s_published)),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 3: the same cell as line 2 (H100 8b at seqlen 8192, host 75 GiB, device 24 GiB)",
            Refused(folder.File("a.csv", s_published, s_ran, s_ran)),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 2: tok_per_sec is 'NaN', and 0 or a number from 1e-30 to 1e18 was expected",
            Refused(folder.File("a.csv", s_published, s_ran.Replace("9781.1", "NaN", StringComparison.Ordinal))),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 2: mfu is '-Infinity'",
            Refused(folder.File("a.csv", s_published, s_ran.Replace("0.509", "-Infinity", StringComparison.Ordinal))),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 2: seq_len is '1e999'",
            Refused(folder.File("a.csv", s_published, s_ran.Replace("8192", "1e999", StringComparison.Ordinal))),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 2: tok_per_sec is 'fast'",
            Refused(folder.File("a.csv", "machine,tok_per_sec", "x,fast")),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 2: machine is empty",
            Refused(folder.File("a.csv", "machine,tok_per_sec", ",5")),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 2: this is no CSV",
            Refused(folder.File("a.csv", "machine,tok_per_sec", "\"x,5", "y,6")),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "a.csv, line 3: the source is measured, and that of line 2 is simulated",
            Refused(
                folder.File(
                    "a.csv",
                    ResultWriter.Head
                        + ResultWriter.Line(s_row)
                        + ResultWriter.Line(s_row with { DeviceGiB = 30, Source = ResultSource.Measured }).TrimEnd('\n')
                )
            ),
            StringComparison.Ordinal
        );
        Assert.Contains("line 1", Refused(folder.File("a.csv", new string('x', 3 << 20))), StringComparison.Ordinal);
        Assert.Contains("line 1", Refused(folder.File("a.csv", "\0\u0001\u0002")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tok_per_sec", "1e308", "tok_per_sec is '1e308', and 0 or a number from 1e-30 to 1e18 was expected")]
    [InlineData("tok_per_sec", "0", "nothing says how fast it was; if it did not run, say so in a column feasible (false)")]
    [InlineData("tok_per_sec", "", "nothing says how fast it was")]
    [InlineData("tok_per_sec,feasible", "5,false", "feasible is false, and there is a speed")]
    [InlineData("tok_per_sec,seq_len", "5,0", "seq_len is '0', and a whole number from 1 to 1e15 was expected")]
    [InlineData("tok_per_sec,gpus", "5,2000000", "gpus is '2000000', and a whole number from 1 to 1e6 was expected")]
    [InlineData("tok_per_sec,gpus,nodes", "5,2,4", "2 gpus cannot be on 4 nodes")]
    [InlineData("tok_per_sec,nodes", "5,4", "nodes is 4 and gpus says nothing")]
    [InlineData("tok_per_sec,seqs_per_step", "5,0", "seqs_per_step is 0 in a row that ran")]
    [InlineData("tok_per_sec,mfu", "5,55", "mfu and hfu are fractions; write 0.55 for 55%")]
    public void A_row_that_cannot_be_true_is_refused(string columns, string fields, string message)
    {
        using var folder = new TemporaryFolder();
        string good = string.Join(
            ',',
            columns
                .Split(',')
                .Select(c =>
                    c switch
                    {
                        "feasible" => "true",
                        "mfu" => "0.5",
                        "nodes" => "1",
                        _ => "5",
                    }
                )
        );
        Assert.StartsWith(
            "a.csv, line 3: " + message,
            Refused(folder.File("a.csv", "machine,model," + columns, "y,m," + good, "x,m," + fields)),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Other_separators_and_folders_are_named()
    {
        using var folder = new TemporaryFolder();
        string file = folder.File("a.csv", "machine;tok_per_sec", "x;5");
        Assert.StartsWith(
            "a.csv, line 1: there is one column, 'machine;tok_per_sec'; fields of a result file are separated by commas",
            Refused(file),
            StringComparison.Ordinal
        );
        Assert.EndsWith("is a folder; give a result file", Refused(Path.GetDirectoryName(file)!), StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_cell_in_two_files_is_refused_unless_the_commit_differs()
    {
        using var folder = new TemporaryFolder();
        string One(string name, ResultRow row) => folder.File(name, (ResultWriter.Head + ResultWriter.Line(row)).TrimEnd('\n'));
        string a = One("a.csv", s_row), b = One("b.csv", s_row), c = One("c.csv", s_row with { Commit = "456" });
        Assert.Equal(2, ResultFile.ReadAll([a, c]).Count);
        Assert.Contains(
            "b.csv, line 2: the same cell as",
            Assert.ThrowsAny<UserErrorException>(() => ResultFile.ReadAll([a, b])).Message,
            StringComparison.Ordinal
        );
    }

    private static string Checkout()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Dataflow.sln")))
        {
            folder = folder.Parent!;
        }

        return folder.FullName;
    }
}
