"""Where the cache folder is."""

from pmpo.foundation.cache import cache_folder


def test_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("PMPO_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "pmpo"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "pmpo"
    monkeypatch.setenv("PMPO_CACHE", "~/own")
    assert cache_folder() == tmp_path / "own"
    monkeypatch.setenv("PMPO_CACHE", "")
    assert cache_folder() == tmp_path / "xdg" / "pmpo"
