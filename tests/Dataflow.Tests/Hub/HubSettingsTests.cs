using Dataflow.Model;

namespace Dataflow.Tests;

/// <summary>The variables that all programs of the hub read, in their order.</summary>
public sealed class HubSettingsTests : IDisposable
{
    private readonly DirectoryInfo home = Directory.CreateTempSubdirectory("dataflow-hub-");

    public void Dispose() => home.Delete(recursive: true);

    private HubSettings Read(params string[] variables)
    {
        var all = variables.Select(v => v.Split('=', 2)).ToDictionary(v => v[0], v => v[1]);
        return HubSettings.Read(all.GetValueOrDefault, home.FullName);
    }

    [Theory]
    [InlineData("", "~/.cache/huggingface/hub")]
    [InlineData("XDG_CACHE_HOME=/x", "/x/huggingface/hub")]
    [InlineData("XDG_CACHE_HOME=/x HF_HOME=/h", "/h/hub")]
    [InlineData("HF_HOME=~/h", "~/h/hub")]
    [InlineData("HF_HOME=/h HUGGINGFACE_HUB_CACHE=/old", "/old")]
    [InlineData("HUGGINGFACE_HUB_CACHE=/old HF_HUB_CACHE=/new", "/new")]
    [InlineData("HF_HUB_CACHE=$BASE/a/${BASE}b/$NONE D=1 BASE=/base", "/base/a//baseb/$NONE")]
    public void The_cache(string variables, string expected) => Assert.Equal(
        Path.GetFullPath(expected.Replace("~", home.FullName, StringComparison.Ordinal)),
        Read(variables.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Cache);

    [Fact]
    public void The_token_is_a_variable_or_a_file()
    {
        Assert.Null(Read().Token);
        string file = Path.Combine(home.FullName, ".cache", "huggingface", "token");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, " of_the_file \n");
        Assert.Equal("of_the_file", Read().Token);
        Assert.Equal("of_the_file", Read("HF_TOKEN= ").Token);
        Assert.Equal("old", Read("HUGGING_FACE_HUB_TOKEN=old").Token);
        Assert.Equal("new", Read("HUGGING_FACE_HUB_TOKEN=old", "HF_TOKEN=new\n").Token);
        Assert.Null(Read("HF_TOKEN=new", "HF_HUB_DISABLE_IMPLICIT_TOKEN=Yes").Token);
        File.WriteAllText(Path.Combine(home.FullName, "mine"), "mine");
        Assert.Equal("mine", Read("HF_TOKEN_PATH=~/mine").Token);
    }

    [Fact]
    public void The_token_is_never_shown()
    {
        Assert.DoesNotContain("secret", Read("HF_TOKEN=secret").ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(
            "secret", Assert.Throws<UserErrorException>(() => Read("HF_TOKEN=secret\u00e9")).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HF_HUB_OFFLINE=1", true)]
    [InlineData("TRANSFORMERS_OFFLINE=true", true)]
    [InlineData("HF_HUB_OFFLINE=on", true)]
    [InlineData("HF_HUB_OFFLINE=0", false)]
    [InlineData("HF_HUB_OFFLINE=", false)]
    public void Offline(string variable, bool offline) => Assert.Equal(offline, Read(variable).Offline);

    [Fact]
    public void The_rest()
    {
        Assert.Equal(("https://huggingface.co", true, 10.0), (Read().Endpoint, Read().Links, Read().Silence.TotalSeconds));
        var given = Read("HF_ENDPOINT=https://Mirror.example/hub/", "HF_HUB_DISABLE_SYMLINKS=1", "HF_HUB_DOWNLOAD_TIMEOUT=30");
        Assert.Equal(("https://mirror.example/hub", false, 30.0), (given.Endpoint, given.Links, given.Silence.TotalSeconds));
    }

    [Theory]
    [InlineData("mirror.example")]
    [InlineData("ftp://mirror.example")]
    [InlineData("https://user:secret@mirror.example")]
    [InlineData("https://mirror.example/?key=secret")]
    public void An_endpoint_that_is_none_is_refused(string endpoint)
    {
        string failure = Assert.Throws<UserErrorException>(() => Read("HF_ENDPOINT=" + endpoint)).Message;
        Assert.Contains("HF_ENDPOINT is no address", failure, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", failure, StringComparison.Ordinal);
    }
}
